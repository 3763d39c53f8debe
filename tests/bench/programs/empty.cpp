// SPDX-License-Identifier: Apache-2.0
// The floor of a command: starts and ends, linked as fabric is.
int main() { return 0; }
