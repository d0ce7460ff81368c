package control

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"testing"
)

// However the agent ends a connection that it has not been asked on, net/http's own
// word for it included, that is what the client says.
func TestEndedConnections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	for range 300 {
		err := NewClient(path).try(t.Context(), http.MethodGet, pathStatus, nil, new(Status))
		if _, ended := errors.AsType[*endedError](err); !ended {
			t.Fatal(err)
		}
	}
}
