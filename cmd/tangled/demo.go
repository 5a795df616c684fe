package main

import (
	"time"

	"github.com/spf13/cobra"

	"tangled/genesis"
)

// demoOptions are the flags of `tangled demo`.
type demoOptions struct {
	middle     int
	permanodes int
	sensors    int
	rate       float64 // readings a second and sensor
	duration   time.Duration
	bits       int
	dir        string
	killSeat   time.Duration // after this time a seat is stopped; 0 for never
	chaos      bool          // nodes in processes of their own, killed at random
	chaosEvery time.Duration
	window     time.Duration // of the genesis
	retention  time.Duration // of middle nodes; 0 for ever
}

// leastForKill is the smallest committee of equal seats that goes on without one.
const leastForKill = 4

// mostForChaos keeps the processes of one machine within reason.
const mostForChaos = 64

func (o *demoOptions) validate() error {
	switch {
	case o.middle < 1 || o.permanodes < 1:
		return usagef("want at least one middle node and one permanode")
	case o.sensors < 1 || o.sensors > 20_000:
		return usagef("%d sensors, want 1 to 20,000", o.sensors)
	case o.rate <= 0 || o.rate > 1000:
		return usagef("rate %v, want above 0 and up to 1,000 readings a second and sensor", o.rate)
	case o.duration < 0:
		return usagef("duration %v is negative", o.duration)
	case o.killSeat < 0:
		return usagef("kill-seat %v is negative", o.killSeat)
	case o.killSeat > 0 && o.middle < leastForKill:
		return usagef("a committee of %d does not go on without a seat: --kill-seat wants at least %d middle nodes", o.middle, leastForKill)
	case o.duration > 0 && o.killSeat >= o.duration:
		return usagef("--kill-seat %v is not before the end, --duration %v", o.killSeat, o.duration)
	case o.chaos && o.killSeat > 0:
		return usagef("--chaos and --kill-seat do not go together: choose one")
	case o.chaos && o.middle+o.permanodes > mostForChaos:
		return usagef("%d nodes: --chaos takes at most %d, each is a process", o.middle+o.permanodes, mostForChaos)
	case o.chaosEvery <= 0:
		return usagef("chaos-every %v, want above 0", o.chaosEvery)
	case o.chaos && o.duration > 0 && o.chaosEvery >= o.duration:
		return usagef("--chaos-every %v is not before the end, --duration %v", o.chaosEvery, o.duration)
	case o.window < genesis.MinWindow:
		return usagef("window %v, want %v or longer", o.window, genesis.MinWindow)
	case o.retention != 0 && o.retention/2 < o.window:
		return usagef("retention %v, want at least twice the window of %v, or 0 for ever", o.retention, o.window)
	case o.bits < 0 || o.bits > genesis.MaxBits:
		return usagef("%d bits, want 0 to %d", o.bits, genesis.MaxBits)
	}
	return nil
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a small city on this machine and check that no reading is lost",
		Long: `demo starts middle nodes and a permanode on loopback, in a ring with one chord, an
MQTT broker and a seat on the committee on each middle node (on 31 at most), and
simulated city sensors that publish JSON readings at QoS 1. It shows what happens
until --duration is over or Ctrl-C is pressed. Meanwhile it follows, over gRPC,
what becomes final on the permanode, and at the end waits until every acknowledged
reading is, or nothing more became so for 30 s. Then it reads them all back from
the permanode's history. Both times it compares sequence number and bytes. It fails
if a reading was not acknowledged, is not final or is not in the history, or if a
node logged a fault of its own.

With --kill-seat the last node with a seat is stopped in order after that time and
stays away: its broker answers what it has read and ends its connections, the node
waits up to 10 s until what it issued is final, then it leaves the network. Its
sensors go to the next broker and send again there what was not acknowledged, as a
device does that knows two. So nothing may be missing: not a reading that the
stopped node acknowledged, nor one that was due meanwhile. Messages go on becoming
final while more than two thirds of the seats are up, only later where it was the
turn of the seat that is away.

With --chaos every node is a process of its own, as init and run make it. Every
--chaos-every a random one, the permanode among them, is killed with SIGKILL and
started again at once on what is on its disk. Its sensors go to the next broker. At
the end every node has to answer and to come as far as the permanode, all have to
show the same commitments, and no seat may have written two witnesses for one round.

With --retention the middle nodes delete what is older, behind a snapshot. It has to
be at least twice --window, which is how far back the live part of the DAG reaches.
The permanode keeps everything.

In the table, LEDGER AGE is how long ago the ledger time is, and SEATS how many of
the committee a node has heard in the newest rounds.`,
		Example: `  tangled demo
  tangled demo --duration 20s --sensors 1000 --rate 2 --json
  tangled demo --duration 30s --kill-seat 10s
  tangled demo --duration 60s --chaos --json
  tangled demo --duration 3m --window 10s --retention 30s`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return runDemo(cmd.Context(), o, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.middle, "middle", 4, "middle nodes, each with an MQTT broker and a seat")
	f.IntVar(&o.permanodes, "permanodes", 1, "permanodes")
	f.IntVar(&o.sensors, "sensors", 200, "simulated sensors")
	f.Float64Var(&o.rate, "rate", 1, "readings a second of each sensor")
	f.DurationVar(&o.duration, "duration", 0, "how long the sensors publish; 0 is until Ctrl-C")
	f.IntVar(&o.bits, "bits", genesis.DefaultDataBits, "proof of work of a message, in leading zero bits")
	f.DurationVar(&o.killSeat, "kill-seat", 0, "stop a node with a seat after this time; 0 is never")
	f.BoolVar(&o.chaos, "chaos", false, "nodes are processes, and a random one is killed again and again")
	f.DurationVar(&o.chaosEvery, "chaos-every", 5*time.Second, "how often --chaos kills one")
	f.DurationVar(&o.window, "window", genesis.DefaultWindow, "how far back the live part of the DAG reaches")
	f.DurationVar(&o.retention, "retention", 0, "how long middle nodes keep messages; 0 is for ever")
	f.StringVar(&o.dir, "dir", "", "keep the nodes' data in this new folder (default: a temporary one, removed at the end)")
	return cmd
}
