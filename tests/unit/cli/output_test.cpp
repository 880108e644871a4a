#include "cli/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace tracer::cli {
namespace {

using ::testing::HasSubstr;

struct Pair {
  UniqueFd reader, writer;
};

Pair make_pipe() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Pair make_sockets() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string read_available(int fd) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  std::string all(4u << 20, '\0');
  std::size_t size = 0;
  for (ssize_t n; (n = read(fd, all.data() + size, all.size() - size)) > 0;) size += static_cast<std::size_t>(n);
  all.resize(size);
  return all;
}

// "record 17 xxx…\n" of `size` bytes.
std::string numbered(int number, std::size_t size) {
  std::string line = "record " + std::to_string(number) + " ";
  line.resize(size - 1, 'x');
  return line + "\n";
}

// Each line as written, in order; which are missing does not matter.
void expect_whole_lines(std::string_view text, std::size_t line_size) {
  ASSERT_FALSE(text.empty());
  ASSERT_EQ(text.size() % line_size, 0u) << "a torn line";
  int last = -1;
  for (std::size_t at = 0; at < text.size(); at += line_size) {
    const int number = std::atoi(std::string(text.substr(at + 7, 10)).c_str());
    ASSERT_EQ(text.substr(at, line_size), numbered(number, line_size));
    ASSERT_GT(number, last);
    last = number;
  }
}

class OutputTest : public ::testing::Test {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(OutputTest, PipeGetsWhatIsFlushed) {
  const Pair pair = make_pipe();
  OutputQueue queue(pair.writer.get());
  EXPECT_TRUE(queue.append("one\n"));
  EXPECT_TRUE(queue.append("two\n"));
  EXPECT_EQ(read_available(pair.reader.get()), "");
  EXPECT_EQ(queue.flush(), OutputState::ok);
  EXPECT_EQ(read_available(pair.reader.get()), "one\ntwo\n");
  EXPECT_EQ(queue.counts().accepted, 2u);
  EXPECT_EQ(queue.queued_bytes(), 0u);
}

TEST_F(OutputTest, SaysWhetherThereIsRoomWithoutCountingADrop) {
  const Pair pair = make_pipe();
  OutputQueue queue(pair.writer.get(), {.queued_bytes_max = 8});
  EXPECT_TRUE(queue.has_room(8));
  EXPECT_FALSE(queue.has_room(9));
  EXPECT_TRUE(queue.append("12345\n"));
  EXPECT_TRUE(queue.has_room(2));
  EXPECT_FALSE(queue.has_room(3));
  EXPECT_EQ(queue.counts().dropped, 0u);
  EXPECT_FALSE(queue.append("789"));
  EXPECT_EQ(queue.counts().dropped, 1u);
}

TEST_F(OutputTest, FlagsOfTheSharedDescriptionStay) {
  const Pair pair = make_pipe();
  const int before = fcntl(pair.writer.get(), F_GETFL);
  OutputQueue queue(pair.writer.get());
  queue.append("x\n");
  queue.flush();
  EXPECT_EQ(fcntl(pair.writer.get(), F_GETFL), before);
}

void slow_reader(const Pair& pair, std::size_t line_size) {
  constexpr std::size_t limit = 256u << 10;
  OutputQueue queue(pair.writer.get(), {.queued_bytes_max = limit});
  std::uint64_t refused = 0;
  constexpr int records = 20'000;
  for (int i = 0; i < records; ++i) {
    if (!queue.append(numbered(i, line_size))) ++refused;
    if (i % 64 == 0) queue.flush();  // never blocks, or this test ends by its time limit
    ASSERT_LE(queue.queued_bytes(), limit);
  }
  EXPECT_EQ(queue.flush(), OutputState::behind);
  EXPECT_GE(queue.wait_fd(), 0);
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(queue.counts().dropped, refused);
  EXPECT_EQ(queue.counts().dropped_bytes, refused * line_size);
  EXPECT_EQ(queue.counts().accepted + refused, static_cast<std::uint64_t>(records));
  std::string all;
  while (queue.flush() == OutputState::behind || queue.queued_bytes() != 0) all += read_available(pair.reader.get());
  all += read_available(pair.reader.get());
  EXPECT_EQ(all.size() / line_size, queue.counts().accepted) << "what was accepted arrives";
  expect_whole_lines(all, line_size);
}

TEST_F(OutputTest, APipeThatIsNotReadCostsWholeRecordsAndNoTime) { slow_reader(make_pipe(), 700); }
TEST_F(OutputTest, LinesLongerThanAPipeTakesInOnePieceStayWholeToo) { slow_reader(make_pipe(), 9'000); }
TEST_F(OutputTest, ASocketThatIsNotReadCostsWholeRecordsAndNoTime) { slow_reader(make_sockets(), 700); }

TEST_F(OutputTest, AReaderThatIsGivenUpOnGotNoHalfRecord) {
  const Pair pair = make_pipe();
  OutputQueue queue(pair.writer.get());
  constexpr std::size_t line_size = 700;
  for (int i = 0; i < 1000; ++i) {
    queue.append(numbered(i, line_size));
    queue.flush();
  }
  ASSERT_EQ(queue.state(), OutputState::behind);
  queue.abandon();
  const std::string got = read_available(pair.reader.get());
  expect_whole_lines(got, line_size);
  EXPECT_EQ(queue.counts().unwritten + got.size() / line_size, 1000u);
}

TEST_F(OutputTest, ClosedPipeIsSeenByWritingAndByChecking) {
  Pair pair = make_pipe();
  OutputQueue queue(pair.writer.get());
  EXPECT_EQ(queue.check(), OutputState::ok);
  pair.reader.reset();
  EXPECT_EQ(queue.check(), OutputState::closed) << "without anything to write";
  Pair second = make_pipe();
  OutputQueue writing(second.writer.get());
  second.reader.reset();
  writing.append("x\n");
  EXPECT_EQ(writing.flush(), OutputState::closed);
  EXPECT_FALSE(writing.append("y\n"));
}

TEST_F(OutputTest, PipeClosedFromTheStart) {
  Pair pair = make_pipe();
  pair.reader.reset();
  OutputQueue queue(pair.writer.get());
  EXPECT_EQ(queue.check(), OutputState::closed);
}

TEST_F(OutputTest, ClosedSocket) {
  Pair pair = make_sockets();
  OutputQueue queue(pair.writer.get());
  EXPECT_EQ(queue.check(), OutputState::ok);
  pair.reader.reset();
  queue.append("x\n");
  EXPECT_EQ(queue.flush(), OutputState::closed);
}

TEST_F(OutputTest, FullDiskIsAnErrorWithItsCount) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  OutputQueue queue(full.get());
  queue.append("one\n");
  queue.append("two\n");
  EXPECT_EQ(queue.flush(), OutputState::failed);
  EXPECT_EQ(queue.error().os_error, ENOSPC);
  EXPECT_THAT(queue.error().context, HasSubstr("No space left"));
  EXPECT_FALSE(queue.append("three\n"));
  queue.abandon();
  EXPECT_EQ(queue.counts().unwritten, 2u);
  EXPECT_EQ(queue.counts().dropped, 1u);
}

TEST_F(OutputTest, ClosedStandardOutput) {
  int fd;
  {
    const Pair pair = make_pipe();
    fd = pair.writer.get();
  }
  OutputQueue queue(fd);
  EXPECT_EQ(queue.state(), OutputState::failed);
  EXPECT_EQ(queue.error().os_error, EBADF);
}

TEST_F(OutputTest, FilesArePrivateAndTruncated) {
  std::string directory = ::testing::TempDir() + "/tracer-output-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/trace.json";
  for (const std::string_view text : {"a longer first text\n", "short\n"}) {
    const auto file = OutputQueue::open_file(path);
    ASSERT_TRUE(file);
    OutputQueue queue(file->get());
    EXPECT_EQ(queue.wait_fd(), -1);
    queue.append(text);
    EXPECT_EQ(queue.flush(), OutputState::ok);
  }
  struct stat facts{};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  EXPECT_EQ(facts.st_size, 6);
  unlink(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const auto fifo = OutputQueue::open_file(path);
  ASSERT_FALSE(fifo) << "must not hang either";
  EXPECT_EQ(fifo.error().os_error, ENXIO);
  unlink(path.c_str());
  rmdir(directory.c_str());
}

TEST_F(OutputTest, FileThatCannotBeCreatedSaysWhy) {
  const auto file = OutputQueue::open_file("/nonexistent/trace.json");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().os_error, ENOENT);
  EXPECT_THAT(file.error().context, HasSubstr("/nonexistent/trace.json"));
  EXPECT_THAT(file.error().context, HasSubstr("No such file"));
  EXPECT_FALSE(file.error().suggestion.empty());
}

}  // namespace
}  // namespace tracer::cli
