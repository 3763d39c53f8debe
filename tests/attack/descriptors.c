/* SPDX-License-Identifier: Apache-2.0
 * Starts a command as somebody who has secrets in his environment and descriptors: HOST_TOKEN, 9 (a
 * file) and 8 (a connection), none of them closed on exec. */
#include <arpa/inet.h>
#include <grp.h>
#include <sys/socket.h>

#include "attack.h"

int start_with(const char* directory, unsigned uid, char** command) {
  char path[512], token[64] = "";
  snprintf(path, sizeof path, "%s/token", directory);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(5353), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (slurp(path, token, sizeof token - 1) <= 0 || file < 0 ||
      connect(connection, (struct sockaddr*)&address, sizeof address) < 0 ||
      write(connection, "with", 4) != 4 || dup2(connection, 8) < 0 || dup2(file, 9) < 0) {
    perror("attack: what must not be handed on");
    return 2;
  }
  setenv("HOST_TOKEN", token, 1);
  if (uid != 0 && (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0)) return 2;
  execvp(command[0], command);
  perror(command[0]);
  return 2;
}
