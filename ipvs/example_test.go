package ipvs_test

import (
	"context"
	"fmt"

	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/ipvs/ipvstest"
)

// A Reconciler keeps a table in the kernel, here one in memory; the real one
// is what ipvs.Open returns.
func ExampleReconciler() {
	kernel := ipvstest.New(nil)
	r := ipvs.NewReconciler(kernel,
		ipvs.OnOwned(func(keys []ipvs.ServiceKey) error {
			fmt.Println("record:", keys)
			return nil
		}),
		ipvs.OnError(func(err error) { fmt.Println("error:", err) }),
	)
	ctx := context.Background()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()

	r.Set(table(entry(tcp("192.0.2.10:80"), dest("10.0.0.1:80", 1))))
	if err := r.Applied(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Print(kernel.Holds())
	if err := r.Stop(ctx); err != nil {
		fmt.Println(err)
	}
	<-done
	fmt.Println("left:", len(kernel.Holds()))
	// Output:
	// record: [tcp 192.0.2.10:80]
	// -A -t 192.0.2.10:80 -s wlc
	// -a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 1
	// record: []
	// left: 0
}
