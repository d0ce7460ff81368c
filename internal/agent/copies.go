package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/dump"
)

// keepCopy writes what was read for a start or a reload into config_save_dir, also
// where it does not come into force. The number of the copy counts them from 0.
func (a *Agent) keepCopy(cfg *config.Config) {
	folder := cfg.Global.Files.SaveFolder
	if folder == "" {
		return
	}
	path := filepath.Join(folder, fmt.Sprintf("keepalived.conf.%d.%d", os.Getpid(), a.copies))
	if err := dump.Write(path, 0o600, []byte(a.reader.Text())); err != nil {
		a.opts.Log.Warn("config_save_dir: " + err.Error())
		return
	}
	a.copies++
}
