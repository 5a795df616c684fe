package api

import (
	"context"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// progressEvery is how often a client is told how far its work has come.
const progressEvery = 250 * time.Millisecond

// tellProgress runs work and sends, now and then, what it last said of its
// progress: work never waits for the client. When a send goes wrong, such as for a
// client that is gone, the work is called off. Either way tellProgress returns when
// the work has ended, with its error or else that of the send.
func tellProgress(ctx context.Context, send func(*tangledv1.Progress) error, work func(ctx context.Context, progress func(done, total uint64)) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	latest := make(chan *tangledv1.Progress, 1) // what was not sent yet
	ended := make(chan error, 1)
	go func() {
		ended <- work(ctx, func(done, total uint64) {
			p := &tangledv1.Progress{Done: done, Total: total}
			for {
				select {
				case latest <- p:
					return
				default:
				}
				select {
				case <-latest: // out of date
				default:
				}
			}
		})
	}()
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-ticker.C:
		}
		select {
		case p := <-latest:
			if err := send(p); err != nil {
				cancel()
				<-ended
				return err
			}
		default:
		}
	}
}
