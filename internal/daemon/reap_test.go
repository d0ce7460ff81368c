package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/script"
)

// reapAsFirst makes many orphans, by scripts whose own status must come through,
// and tells whether any of them is left.
func reapAsFirst() {
	// The first process of a namespace sees the others in a /proc of its own.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		panic(err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var r script.Runner
	go Reap(ctx, r.Waits)
	status := -1
	for range 20 {
		var err error
		status, err = r.Run(ctx, health.Script{UID: -1, GID: -1, Args: []string{"/bin/sh", "-c", "(sleep 0.01 & sleep 0.02 &); exit 7"}})
		if err != nil || status != 7 {
			fmt.Println("status", status, err)
			os.Exit(1)
		}
	}
	for end := time.Now().Add(time.Minute); len(endedChildren()) > 0; {
		if time.Now().After(end) {
			fmt.Println("left:", endedChildren())
			os.Exit(1)
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("status %d, none left\n", status)
	os.Exit(0)
}
