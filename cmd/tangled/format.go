package main

import (
	"strings"
)

const configHead = `# A tangled node. Relative paths start from this file's folder.
# TANGLED_API_LISTEN in the environment or --set api.listen=... override api.listen,
# and so on for every key. Keys behind a # show their defaults.
`

// format writes c as a tangled.toml that parseFile reads back. Paths are written
// as they are in c.
func (c *config) format() []byte {
	defaults := defaultConfig()
	defaults.Role = c.Role
	defaults.followRole()
	var b strings.Builder
	b.WriteString(configHead)
	section := ""
	for _, s := range settings() {
		if s.table {
			continue
		}
		name := s.key
		if i := strings.IndexByte(name, '.'); i >= 0 {
			if name[:i] != section {
				section = name[:i]
				b.WriteString("\n[" + section + "]\n")
			}
			name = name[i+1:]
		} else if section == "" {
			b.WriteByte('\n')
		}
		b.WriteString("# " + s.help + "\n")
		value := s.toml(c)
		if value == s.toml(defaults) && !s.required {
			b.WriteString("# ")
		}
		b.WriteString(name + " = " + value + "\n")
	}
	c.formatTables(&b)
	return []byte(b.String())
}
