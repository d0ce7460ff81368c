package host

// TestAddressTable lets the test of the fake, which imports this package, run
// the same table of cases as the kernel's.
var TestAddressTable = testAddressTable
