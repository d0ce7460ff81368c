package track

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// silent is whether a path is on a file system whose files change without a word of
// the kernel's: their content is the kernel's own, or on another host.
func silent(path string) bool {
	const ceph = 0x00c36400 // CEPH_SUPER_MAGIC
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil && unix.Statfs(filepath.Dir(path), &s) != nil {
		return false
	}
	switch uint32(s.Type) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC,
		unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, ceph:
		return true
	}
	return false
}
