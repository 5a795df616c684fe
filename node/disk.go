package node

// shortFactor is how many times MinFree is little room: the operator is warned
// before the node takes no more data.
const shortFactor = 4

// checkDisk compares the room on disk with MinFree. A file system that cannot
// tell is taken to have room.
func (n *Node) checkDisk() {
	free, err := n.store.Free()
	if err != nil {
		return
	}
	n.metrics.diskFree.Set(float64(free))
	low := free < n.opts.MinFree
	if was := n.diskLow.Swap(low); was != low {
		if low {
			n.opts.Logger.Error("disk is nearly full: taking no data", "free_bytes", free, "min_free", n.opts.MinFree)
		} else {
			n.opts.Logger.Info("disk has room again: taking data", "free_bytes", free)
		}
	}
	short := free/shortFactor < n.opts.MinFree
	if was := n.diskShort.Swap(short); short && !was && !low {
		n.opts.Logger.Warn("little room on the disk: below min_free this node takes no more data", "free_bytes", free, "min_free", n.opts.MinFree)
	}
}
