package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/genesis"
	"tangled/gossip"
)

// complete refuses a config in which a required setting is missing or two
// settings do not go together. It looks at no other file.
func (c *config) complete(path string) error {
	for _, s := range settings() {
		if s.required && c.origins[s.key] == "" {
			return &configError{Origin: path, Key: s.key, Err: errors.New("missing")}
		}
	}
	if err := c.checkLoopback(); err != nil {
		return err
	}
	if err := c.checkPorts(); err != nil {
		return err
	}
	if _, err := peer.AddrInfosFromP2pAddrs(c.Gossip.Peers...); err != nil {
		return c.fail("gossip.peers", err)
	}
	return c.checkRetention()
}

// checkLoopback keeps what asks for no credentials off the network.
func (c *config) checkLoopback() error {
	for _, l := range c.listeners() {
		if l.address != "" && !isLoopback(l.address) {
			return c.fail(l.key, fmt.Errorf("%s is not loopback, and %s asks nobody for credentials: "+
				"listen on 127.0.0.1 and put a proxy that does in front", l.address, l.what))
		}
	}
	return nil
}

func (c *config) checkPorts() error {
	seen := make(map[string]string)
	for _, l := range c.listeners() {
		_, port, err := net.SplitHostPort(l.address)
		if err != nil || port == "0" {
			continue
		}
		if other, ok := seen[l.address]; ok {
			return c.fail(l.key, fmt.Errorf("%s is what %s listens on already", l.address, other))
		}
		seen[l.address] = l.key
	}
	return nil
}

type listener struct{ key, address, what string }

func (c *config) listeners() []listener {
	return []listener{
		{"mqtt.listen", c.MQTT.Listen, "the broker"},
		{"api.listen", c.API.Listen, "the API"},
		{"metrics.listen", c.Metrics.Listen, "the metrics page"},
	}
}

// secrets are what the files that a config names hold.
type secrets struct {
	genesis  *genesis.Genesis
	key      ed25519.PrivateKey
	swarmKey gossip.SwarmKey
}

// readSecrets reads the files a node needs. A secret that others than its owner
// may read is refused. Errors are *configError.
func (c *config) readSecrets() (s secrets, err error) {
	text, err := readSmall(c.Genesis, maxGenesisSize)
	if err != nil {
		return s, c.fail("genesis", fileHint(err, "copy it from another node of the network"))
	}
	if s.genesis, err = genesis.Parse(text); err != nil {
		return s, c.fail("genesis", fmt.Errorf("%s: %w", c.Genesis, err))
	}
	if err = c.checkWindow(s.genesis.Window); err != nil {
		return s, err
	}
	if s.key, err = readKey(c.Key); err != nil {
		return s, c.fail("key", fileHint(err, "it is the node's identity and cannot be made again"))
	}
	if s.swarmKey, err = gossip.ReadSwarmKey(c.SwarmKey); err != nil {
		return s, c.fail("swarm_key", fileHint(err, "copy it from another node of the network"))
	}
	return s, nil
}

// fileHint adds what to do about a file that cannot be opened.
func fileHint(err error, missing string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", err, missing)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: it must belong to user %d, who runs this", err, os.Getuid())
	}
	return err
}
