// Segment files: made whole, recycled, listed; and what happens when the disk does not play along.
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "longbow/wal/segment.hpp"
#include "wal_testing.hpp"

namespace longbow::wal {
namespace {

using testing::FailingFiles;
using testing::Folder;
using testing::kSystem;

std::string file_of(const SegmentStore& store, std::uint64_t segment) {
  char name[SegmentStore::kMaxPath + SegmentStore::kNameBytes];
  store.path(segment, name);
  return name;
}

TEST(Segment, IsWholeAndAllocated) {
  Folder folder;
  const SegmentStore store(folder.path(), kSystem);
  EXPECT_EQ(store.highest(), 0);
  ASSERT_EQ(store.create(7), 0);
  EXPECT_EQ(store.create(7), -EEXIST);
  struct stat info;
  ASSERT_EQ(::stat(file_of(store, 7).c_str(), &info), 0);
  EXPECT_EQ(info.st_size, static_cast<off_t>(kSegmentBytes));
  EXPECT_GE(info.st_blocks * 512, static_cast<off_t>(kSegmentBytes));
  const int file = store.open_for_write(7, O_DSYNC);
  EXPECT_GE(file, 0);
  ::close(file);
  EXPECT_EQ(store.open_for_read(8), -ENOENT);
  EXPECT_EQ(SegmentStore(folder.path(), kSystem + 1).open_for_read(7), -EBADMSG);
}

TEST(Segment, RecycledOnesBelongToTheirNewName) {
  Folder folder;
  const SegmentStore store(folder.path(), kSystem);
  ASSERT_EQ(store.create(1), 0);
  ASSERT_EQ(store.create(2), 0);
  EXPECT_EQ(store.recycle(1, 2), -EEXIST);
  ASSERT_EQ(store.recycle(2, 9), 0);
  EXPECT_EQ(store.open_for_read(2), -ENOENT);
  const int file = store.open_for_read(9);
  EXPECT_GE(file, 0);
  ::close(file);
  EXPECT_EQ(store.highest(), 9);
  // What has no right header, or no right size, is not recycled.
  std::ofstream(file_of(store, 3)) << "x";
  EXPECT_EQ(store.recycle(3, 10), -EBADMSG);
  EXPECT_EQ(store.remove(9), 0);
  EXPECT_EQ(store.remove(9), -ENOENT);
}

TEST(Segment, ListsItsOwnFilesOnly) {
  Folder folder;
  const SegmentStore store(folder.path(), kSystem);
  for (const char* name : {"0000000000000010", "000000000000000A", "00000000000000zz", "0000000000000003.old", "new.12",
                           "0000000000000000", "FFFFFFFFFFFFFFFF", "1"})
    std::ofstream(std::string(folder.path()) + "/" + name) << "x";
  std::uint64_t numbers[8];
  ASSERT_EQ(store.list(numbers), 2);
  EXPECT_EQ(numbers[0], 10U);
  EXPECT_EQ(numbers[1], 16U);
  EXPECT_EQ(store.highest(), 16);
  EXPECT_TRUE(std::filesystem::exists(std::string(folder.path()) + "/new.12"));
  EXPECT_EQ(store.list(numbers, true), 2);
  EXPECT_FALSE(std::filesystem::exists(std::string(folder.path()) + "/new.12"));
  EXPECT_EQ(store.open_for_write(10, 0), -EBADMSG);
  EXPECT_EQ(SegmentStore("/nonexistent/folder", kSystem).highest(), -ENOENT);
  EXPECT_EQ(SegmentStore(std::string(2000, 'x').c_str(), kSystem).create(1), -ENAMETOOLONG);
}

TEST(Segment, FailuresLeaveNothingBehind) {
  Folder folder;
  FailingFiles files;
  const SegmentStore store(folder.path(), kSystem, files);
  files.write_error = ENOSPC;
  EXPECT_EQ(store.create(1), -ENOSPC);
  files.write_error = 0;
  files.sync_error = EIO;
  EXPECT_EQ(store.create(1), -EIO);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  files.sync_error = 0;
  files.interrupts = 5;
  files.short_writes = true;
  EXPECT_EQ(store.create(1), 0);
  const int file = store.open_for_read(1);
  EXPECT_GE(file, 0);
  ::close(file);
}

}  // namespace
}  // namespace longbow::wal
