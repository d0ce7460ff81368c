package config

import "slices"

// tandemKeywords are tandem's own. They stand behind @tandem, so that a
// keepalived passes over them.
func tandemKeywords() []Keyword {
	return slices.Concat(
		in("", []Keyword{
			row("tandem", "{ }", "", "tandem", "Holds tandem's own settings.", own, does(tandemBlock)),
		}),
		apiKeywords(),
		in("virtual_server", []Keyword{
			row("follow_instance", "NAME", "none", "tandem", "Has the service in IPVS only while this node is master of that instance.", own, does(followInstance)),
		}),
		tandemCheckKeywords(),
		takeoverKeywords(),
	)
}
