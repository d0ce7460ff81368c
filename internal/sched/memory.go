package sched

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockMemory keeps all memory from being swapped once it is in use, or lets it
// go. The program itself is brought in as a whole; of what the Go runtime only
// reserves nothing is, which would be many times what it uses.
func lockMemory(on bool) error {
	if !on {
		if err := unix.Munlockall(); err != nil {
			return fmt.Errorf("unlock memory: %w", err)
		}
		return nil
	}
	const onFault = 4 // MCL_ONFAULT, mlockall(2)
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | onFault); err != nil {
		return fmt.Errorf("lock memory: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("lock memory: find the program: %w", err)
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("lock memory: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		from, to, ok := mapping(lines.Text(), program)
		if !ok {
			continue
		}
		// Mlock of package unix takes a slice, and this memory is none.
		if _, _, errno := unix.Syscall(unix.SYS_MLOCK, from, to-from, 0); errno != 0 {
			return fmt.Errorf("lock the program: %w", errno)
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(errors.New("lock memory"), err)
	}
	return nil
}

// mapping reads a line of /proc/self/maps (proc(5)) and says whether it is a
// part of the program file.
func mapping(line, program string) (from, to uintptr, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[5] != program {
		return 0, 0, false
	}
	first, last, _ := strings.Cut(f[0], "-")
	a, err1 := strconv.ParseUint(first, 16, 64)
	b, err2 := strconv.ParseUint(last, 16, 64)
	return uintptr(a), uintptr(b), err1 == nil && err2 == nil && b > a
}
