package main

import (
	"fmt"

	"tangled/genesis"
	"tangled/message"
)

// treasury owns the supply that init makes.
type treasury struct {
	address message.Address
	amount  uint64
	keyPEM  []byte
}

// endow gives the supply to a key made for it.
func (n *network) endow(supply uint64) error {
	key, err := newKey()
	if err != nil {
		return fmt.Errorf("make the key of the supply: %w", err)
	}
	n.treasury = &treasury{address: message.AddressOf(publicKey(key)), amount: supply}
	n.genesis.Balances = append(n.genesis.Balances, genesis.Balance{Address: n.treasury.address, Amount: supply})
	n.treasury.keyPEM, err = encodeKey(key)
	return err
}
