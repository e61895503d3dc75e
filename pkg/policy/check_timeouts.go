package policy

func (c *checker) checkTimeouts(table string, t Timeouts) {
	for key, n := range map[string]Integer{table + ".pull": t.Pull, table + ".command": t.Command} {
		if c.given(key) && (n.Value < 1 || n.Value > maxTimeout) {
			c.at(key, "want a number of seconds from 1 to %d, got %d", maxTimeout, n.Value)
		}
	}
}
