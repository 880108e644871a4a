#include "backends/procfs/proc_file_text.h"

#include <gtest/gtest.h>

#include "backends/procfs/mount_table.h"
#include "backends/procfs/proc_text.h"

namespace tracer::procfs {
namespace {

TEST(MapsLine, ALibrary) {
  const auto line = parse_maps_line(
      "7f0c4a026000-7f0c4a17b000 r-xp 00026000 fe:01 131586                     /usr/lib/x86_64-linux-gnu/libc.so.6");
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->executable);
  EXPECT_EQ(line->inode, 131586U);
  EXPECT_EQ(line->device_major, 0xfeU);
  EXPECT_EQ(line->device_minor, 1U);
  EXPECT_EQ(line->path, "/usr/lib/x86_64-linux-gnu/libc.so.6");
}

TEST(MapsLine, DataAndBlanksInNames) {
  const auto line = parse_maps_line("00400000-00401000 rw-p 00000000 08:02 7 /a  b (deleted)");
  ASSERT_TRUE(line);
  EXPECT_FALSE(line->executable);
  EXPECT_EQ(line->path, "/a  b (deleted)");
}

TEST(MapsLine, WhatIsNoFile) {
  for (const char* text : {
           "7ffd1c5f2000-7ffd1c5f4000 r-xp 00000000 00:00 0                          [vdso]",
           "55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0                          [heap]",
           "7f0c4a000000-7f0c4a026000 rw-p 00000000 00:00 0 ",
           "7f0c4a000000-7f0c4a026000 r-xp 00000000 00:0f 5                         anon_inode:[perf_event]",
           "7f0c4a000000-7f0c4a026000 r-xp 00000000 fe:01 0 /zero/inode",
           "7f0c4a000000-7f0c4a026000 r-x 00000000 fe:01 9 /short/permissions",
           "7f0c4a000000-zz r-xp 00000000 fe:01 9 /no/number",
           "7f0c4a000000-7f0c4a026000 r-xp 00000000 fe01 9 /no/colon",
           "7f0c4a000000-7f0c4a026000 r-xp 00000000 fe:01 99999999999999999999 /too/large",
           "",
           "-",
       })
    EXPECT_FALSE(parse_maps_line(text)) << text;
}

TEST(OctalEscapes, NewlinesOfMaps) {
  EXPECT_EQ(unescape_octal("/a\\012b", Escaped::newlines), "/a\nb");
  EXPECT_EQ(unescape_octal("/a\\040b", Escaped::newlines), "/a\\040b");  // maps does not write blanks so
  EXPECT_EQ(unescape_octal("\\", Escaped::newlines), "\\");
  EXPECT_EQ(unescape_octal("\\01", Escaped::newlines), "\\01");
  EXPECT_EQ(unescape_octal("\\\\012", Escaped::newlines), "\\\n");
}

TEST(OctalEscapes, BlanksOfMounts) {
  EXPECT_EQ(unescape_octal("/a\\040b\\011c\\134d", Escaped::blanks_too), "/a b\tc\\d");
  EXPECT_EQ(unescape_octal("\\777", Escaped::blanks_too), "\\777");  // more than a byte
  EXPECT_EQ(unescape_octal("\\089", Escaped::blanks_too), "\\089");
}

TEST(DeletedMark, IsCutOffOnce) {
  std::string_view path = "/usr/lib/libssl.so.3 (deleted) (deleted)";
  EXPECT_TRUE(split_deleted_mark(path));
  EXPECT_EQ(path, "/usr/lib/libssl.so.3 (deleted)");
  path = "/usr/lib/libssl.so.3";
  EXPECT_FALSE(split_deleted_mark(path));
}

TEST(FdinfoFlags, AreOctal) {
  EXPECT_EQ(parse_fdinfo_flags("pos:\t0\nflags:\t02100001\nmnt_id:\t27\n"), 02100001U);
  EXPECT_EQ(parse_fdinfo_flags("flags:\t0"), 0U);
  EXPECT_FALSE(parse_fdinfo_flags("pos:\t0\nflags:\t\n"));
  EXPECT_FALSE(parse_fdinfo_flags("pos:\t0\nflags:\t8\n"));
  EXPECT_FALSE(parse_fdinfo_flags("pos:\t0 flags:\t1\n"));
  EXPECT_FALSE(parse_fdinfo_flags(""));
}

TEST(MountinfoLine, OptionalFieldsAndEscapes) {
  const auto mount = parse_mountinfo_line(
      "36 35 98:0 /part /mnt/a\\040b rw,noatime master:1 propagate_from:2 - ext4 /dev/ro\\040ot rw,errors=continue");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->device_major, 98U);
  EXPECT_EQ(mount->root, "/part");
  EXPECT_EQ(mount->mount_point, "/mnt/a b");
  EXPECT_EQ(mount->file_system, "ext4");
  EXPECT_FALSE(parse_mountinfo_line("36 35 98:0 /part /mnt rw,noatime ext4 /dev/root rw"));
  EXPECT_FALSE(parse_mountinfo_line("36 35 98 /part /mnt rw - ext4 x rw"));
  EXPECT_FALSE(parse_mountinfo_line(""));
}

TEST(PathWithin, ChrootsAndTheirNeighbours) {
  EXPECT_EQ(path_within("/etc/ssl", "/"), "/etc/ssl");
  EXPECT_EQ(path_within("/srv/jail/etc/ssl", "/srv/jail"), "/etc/ssl");
  EXPECT_EQ(path_within("/srv/jail", "/srv/jail"), "/");
  EXPECT_FALSE(path_within("/srv/jailer/etc", "/srv/jail"));
  EXPECT_FALSE(path_within("/etc/ssl", "/srv/jail"));
  EXPECT_FALSE(path_within("etc/ssl", "/"));
  EXPECT_FALSE(path_within("/etc", ""));
}

TEST(TitlePadding, OnlyOfTitles) {
  using namespace std::string_view_literals;
  EXPECT_EQ(without_title_padding("sshd: root@pts/0\0\0\0\0"sv), "sshd: root@pts/0\0"sv);
  EXPECT_EQ(without_title_padding("cmd\0\0"sv), "cmd\0\0"sv);  // its argument is empty
  EXPECT_EQ(without_title_padding("nginx: worker process"sv), "nginx: worker process"sv);
  EXPECT_EQ(without_title_padding("my prog\0-v\0"sv), "my prog\0-v\0"sv);
}

TEST(UnsafeMounts, AreBelowTheirMountPoints) {
  for (const char* remote : {"nfs4", "cifs", "fuse.sshfs", "fuse", "autofs", "9p", "ceph"})
    EXPECT_TRUE(may_never_answer(remote)) << remote;
  for (const char* local : {"ext4", "tmpfs", "overlay", "fusectl", "nfsd"})
    EXPECT_FALSE(may_never_answer(local)) << local;
  const std::vector<MountLine> mounts{
      {0, 1, "/", "/", "nfs4"}, {0, 2, "/", "/mnt/share", "nfs4"}, {8, 1, "/", "/mnt", "ext4"}};
  const auto unsafe = unsafe_mount_points(mounts);
  ASSERT_EQ(unsafe.size(), 1U);
  EXPECT_TRUE(lies_below("/mnt/share", unsafe));
  EXPECT_TRUE(lies_below("/mnt/share/a", unsafe));
  EXPECT_FALSE(lies_below("/mnt/shared", unsafe));
  EXPECT_FALSE(lies_below("/mnt", unsafe));
}

}  // namespace
}  // namespace tracer::procfs
