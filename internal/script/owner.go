package script

import "github.com/tandem-ha/tandem/config"

// Owner gives the numbers of a user and its group, the user's own where the
// configuration names none. The error says who does not exist.
func Owner(u config.User) (uid, gid int, err error) {
	id, err := named(u)
	return id.uid, id.gid, err
}
