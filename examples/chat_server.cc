// chat_server ADDRESS: what one client says, all the others hear, line by line.
//
//   chat_server tcp:127.0.0.1:7777
//
// The purpose: any number of clients on three threads: main's, the poller's,
// and one of a pool, on which all callbacks run, so that the room needs no
// lock. Nobody waits for a slow client: who has more than kMost bytes still to
// take, or has begun a line that is longer, is put out.

#include <future>
#include <iostream>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "flow/net/async_listener.h"
#include "flow/thread_pool.h"

constexpr size_t kMost = 256 << 10;

struct Client {
  flow::AsyncFlow flow;
  std::string line;   // without an end yet
  size_t unread = 0;  // bytes that it has still to take
};

struct Room {
  void AcceptNext() {
    listener.Accept({}, [this](absl::StatusOr<flow::AsyncFlow> flow) {
      if (!flow.ok()) return closed.set_value(flow.status());
      clients[++last_id].flow = *std::move(flow);
      Tell(0, absl::Cord(absl::StrCat("* ", last_id, " is here\n")));
      HearNext(last_id);
      AcceptNext();
    });
  }
  void HearNext(int id) {
    clients[id].flow.Read({}, [this, id](flow::AsyncFlow::ReadResult got) {
      std::string& line = clients[id].line;
      if (!got.ok() || got->is_eof() || line.size() > kMost) {
        clients.erase(id);  // which closes its flow
        return Tell(0, absl::Cord(absl::StrCat("* ", id, " has left\n")));
      }
      absl::StrAppend(&line, got->data().view());
      const size_t whole = line.rfind('\n') + 1;  // 0 if there is none
      if (whole > 0) Tell(id, absl::Cord(line.substr(0, whole)));
      line.erase(0, whole);
      HearNext(id);
    });
  }
  void Tell(int from, const absl::Cord& lines) {  // one copy for all
    const size_t n = lines.size();
    for (auto& [id, client] : clients) {
      if (id == from) continue;
      if ((client.unread += n) > kMost) client.flow.Close();  // its Read fails
      client.flow.Write(lines, {}, [this, id = id, n](const absl::Status&) {
        if (clients.count(id) > 0) clients[id].unread -= n;
      });
    }
  }
  flow::AsyncListener listener;
  std::map<int, Client> clients;
  int last_id = 0;
  std::promise<absl::Status> closed;
};

int main(int argc, char** argv) {
  Room room;  // goes after the threads that use it
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool);
  auto listener = flow::Listen(argc == 2 ? argv[1] : "");
  if (!listener.ok()) return (std::cerr << listener.status() << "\n", 1);
  room.listener = *flow::AsyncListener::From(*std::move(listener), context);
  std::cout << "listening on " << room.listener.address() << std::endl;
  room.AcceptNext();
  return (std::cerr << room.closed.get_future().get() << "\n", 1);
}
