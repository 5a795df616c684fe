package main

import (
	"crypto/ed25519"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"tangled/message"
)

func newKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make and show keys",
		Long: `key makes and shows Ed25519 keys. One and the same kind of key file owns an account
of the ledger, or is the identity of a node: PKCS #8 in PEM, mode 0600, as
"openssl genpkey -algorithm ed25519" writes it too. No node is needed.

` + exitHelp,
		Example: `  tangled key new alice.key
  tangled key show alice.key --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyNewCommand(), newKeyShowCommand())
	return cmd
}

func newKeyNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new FILE",
		Short: "Make a key",
		Long: `new writes a new key to FILE, which only its owner may read, and shows what others
may know of it. A file that exists is refused: a key cannot be made again.`,
		Example: `  tangled key new alice.key`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := newKey()
			if err != nil {
				return err
			}
			text, err := encodeKey(key)
			if err != nil {
				return err
			}
			if err := writeFile(args[0], text, secretMode); err != nil {
				return err
			}
			if err := syncDir(filepath.Dir(args[0])); err != nil {
				return err
			}
			return showKey(key, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
}

func newKeyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE",
		Short:   "Show the public key, address and peer ID of a key file",
		Long:    `show never prints the secret part. A file that others may read is refused.`,
		Example: `  tangled key show net/treasury.key`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readKey(args[0])
			if err != nil {
				return err
			}
			return showKey(key, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
}

// keyIdentity is what others may know of a key.
type keyIdentity struct {
	PublicKey hexBytes `json:"public_key"`
	Address   string   `json:"address"`
	PeerID    string   `json:"peer_id"`
}

func showKey(key ed25519.PrivateKey, out io.Writer, asJSON bool) error {
	id, err := peerIDOf(key)
	if err != nil {
		return err
	}
	public := publicKey(key)
	k := keyIdentity{PublicKey: public[:], Address: message.AddressOf(public).String(), PeerID: id.String()}
	if asJSON {
		return writeJSON(out, k)
	}
	t := newTable(out)
	t.row("public key", k.PublicKey.String())
	t.row("address", k.Address)
	t.row("peer ID", k.PeerID)
	return t.flush()
}
