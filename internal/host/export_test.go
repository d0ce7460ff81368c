package host

// The tests of the fakes, which import this package, run the same tables of
// cases as the kernel's.
var (
	TestAddressTable = testAddressTable
	TestRouteTable   = testRouteTable
	TestRuleTable    = testRuleTable
	TestVirtualLinks = testLinkTable
)
