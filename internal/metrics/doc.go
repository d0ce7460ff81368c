// Package metrics shows the agent to Prometheus: under the names that
// keepalived's usual exporter uses, so that dashboards go on working, and under
// tandem's own. A scrape reads a snapshot; nothing here decides, and nothing is
// counted twice: what the agent counts already is only given a name.
package metrics
