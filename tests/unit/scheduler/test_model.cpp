// SPDX-License-Identifier: Apache-2.0
// Random operations beside the reference model. FABRIC_MODEL_STEPS=N makes N steps over as many
// seeds as that takes, from FABRIC_MODEL_SEED (default 1) on: see docs/contributing.md.
#include <cstdio>
#include <cstdlib>

#include "tests/unit/scheduler/model_run.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr uint64_t k_steps = 300;  // of one seed
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t k_seeds = 40;  // each step takes ten times as long
#else
constexpr uint64_t k_seeds = 300;
#endif
// Every seed that ever failed.
constexpr uint64_t k_failed_once[] = {1, 2, 22, 58, 77};

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Failure {
  uint64_t steps = 0;
  std::string what;
};

// Everything is compared after each `whole` steps, and at the end.
std::optional<Failure> run(uint64_t seed, uint64_t steps, uint64_t whole) {
  ModelRun run(seed);
  for (uint64_t step = 1; step <= steps; ++step) {
    try {
      run.step();
      if (step % whole == 0 || step == steps) run.compare();
    } catch (const Divergence& divergence) {
      return Failure{step, run.last() + ": " + divergence.what()};
    }
  }
  return std::nullopt;
}

void require_no_divergence(uint64_t seed, uint64_t steps) {
  std::optional<Failure> failure = run(seed, steps, 50);
  if (!failure) return;
  // The shortest prefix that fails: all is compared after every step.
  if (std::optional<Failure> sooner = run(seed, failure->steps, 1)) failure = sooner;
  FAIL("seed " << seed << " after " << failure->steps << " steps, " << failure->what
               << "\nagain: FABRIC_MODEL_SEED=" << seed
               << " FABRIC_MODEL_STEPS=" << failure->steps);
}

}  // namespace

TEST_CASE("random operations: the queue is its reference model") {
  const uint64_t first = number_from("FABRIC_MODEL_SEED", 1);
  const uint64_t wanted = number_from("FABRIC_MODEL_STEPS", k_seeds * k_steps);
  if (!std::getenv("FABRIC_MODEL_SEED"))
    for (uint64_t seed : k_failed_once) require_no_divergence(seed, k_steps);
  uint64_t done = 0;
  for (uint64_t seed = first; done < wanted; ++seed) {
    const uint64_t steps = std::min(k_steps, wanted - done);
    require_no_divergence(seed, steps);
    done += steps;
  }
  if (std::getenv("FABRIC_MODEL_STEPS"))
    std::printf("%llu steps over %llu seeds\n", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>((wanted + k_steps - 1) / k_steps));
}
