// SPDX-License-Identifier: Apache-2.0
#include "bench_lmdb.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "bench_support.hpp"
#include "supervisor/unix_socket.hpp"

namespace fabric::bench {
namespace {

void check(int error, const char* what) {
  if (error != 0) throw Failure(std::string(what) + ": " + mdb_strerror(error));
}

}  // namespace

RawTable::RawTable(const std::string& directory) {
  ::mkdir(directory.c_str(), 0700);
  check(mdb_env_create(&env_), "mdb_env_create");
  check(mdb_env_set_mapsize(env_, size_t{4} << 30), "mdb_env_set_mapsize");
  check(mdb_env_open(env_, directory.c_str(), 0, 0600), "mdb_env_open");
  MDB_txn* txn = nullptr;
  check(mdb_txn_begin(env_, nullptr, 0, &txn), "mdb_txn_begin");
  check(mdb_dbi_open(txn, nullptr, 0, &table_), "mdb_dbi_open");
  check(mdb_txn_commit(txn), "mdb_txn_commit");
}

RawTable::~RawTable() { mdb_env_close(env_); }

void RawTable::put(const std::vector<std::string_view>& values) {
  MDB_txn* txn = nullptr;
  check(mdb_txn_begin(env_, nullptr, 0, &txn), "mdb_txn_begin");
  for (const std::string_view value : values) {
    std::array<unsigned char, 8> bytes{};
    const uint64_t number = next_key_++;
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<unsigned char>(number >> (56 - 8 * i));
    MDB_val key{bytes.size(), bytes.data()};
    MDB_val data{value.size(), const_cast<char*>(value.data())};
    check(mdb_put(txn, table_, &key, &data, MDB_APPEND), "mdb_put");
  }
  check(mdb_txn_commit(txn), "mdb_txn_commit");
}

GroupCommitServer::GroupCommitServer(const std::string& socket_path,
                                     const std::string& table_directory)
    : listener_(need(listen_unix(socket_path))),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      table_(table_directory) {
  thread_ = std::thread([this] { run(); });
}

GroupCommitServer::~GroupCommitServer() {
  const uint64_t one = 1;
  if (::write(stop_.get(), &one, sizeof one) == sizeof one) thread_.join();
}

void GroupCommitServer::run() {
  std::vector<Fd> clients;
  std::vector<std::string> lines;
  for (;;) {
    std::vector<pollfd> waits{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const Fd& client : clients) waits.push_back({client.get(), POLLIN, 0});
    ::poll(waits.data(), waits.size(), -1);
    if (waits[0].revents != 0) return;
    std::vector<size_t> asked;
    lines.clear();
    for (size_t i = 0; i < clients.size(); ++i) {
      if (waits[i + 2].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(clients[i].get(), buffer, sizeof buffer);
      if (n <= 0) {
        clients[i].reset();
        continue;
      }
      lines.emplace_back(buffer, static_cast<size_t>(n));
      asked.push_back(i);
    }
    if (!asked.empty()) table_.put({lines.begin(), lines.end()});
    for (const size_t i : asked)
      [[maybe_unused]] const ssize_t sent = ::send(clients[i].get(), "ok\n", 3, MSG_NOSIGNAL);
    std::erase_if(clients, [](const Fd& client) { return !client; });
    if (waits[1].revents != 0)
      if (Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); client)
        clients.push_back(std::move(client));
  }
}

}  // namespace fabric::bench
