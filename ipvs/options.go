package ipvs

import "time"

const (
	// watchPeriod is how often the kernel's table is watched for changes by others,
	// fullPeriod how often it is read in full. Either is stretched where what it paces
	// would take more than a hundredth of a core.
	watchPeriod = time.Second
	fullPeriod  = 30 * time.Second
	// retryFirst is the pause after a first failure, which doubles with each further
	// one up to retryMost.
	retryFirst = time.Second
	retryMost  = 30 * time.Second
)

// Option sets how a Reconciler works. The functions given are called one at a
// time by the goroutine that reconciles, which waits for them.
type Option func(*options)

type options struct {
	owned    []ServiceKey
	onOwned  func([]ServiceKey) error
	onRepair func([]Change)
	onError  func(error)

	clock func() time.Duration // counts what reading the kernel's table costs
}

func defaultOptions() options {
	return options{clock: threadTime}
}

// WithOwned says which services are ours from an earlier run, as its record has
// them. Those that are not wanted any more are removed with the first table.
func WithOwned(keys []ServiceKey) Option {
	return func(o *options) { o.owned = keys }
}

// OnOwned has f called with the keys of all that is ours, in order, before a
// change that makes it more, and after one that makes it less. An error is
// reported, and the change made.
func OnOwned(f func(keys []ServiceKey) error) Option {
	return func(o *options) { o.onOwned = f }
}

// OnRepair has f called with the changes that undid what somebody else changed.
func OnRepair(f func(made []Change)) Option {
	return func(o *options) { o.onRepair = f }
}

// OnError has f called with an error when it first comes up and when it becomes
// another, and with nil when all is well again.
func OnError(f func(error)) Option {
	return func(o *options) { o.onError = f }
}
