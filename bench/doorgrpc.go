package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// streamSlots is how many readings a node works on at once for one stream.
const streamSlots = 256

// streamDoor is a SubmitStream. The seq of a request is its slot.
type streamDoor struct {
	conn    *grpc.ClientConn
	stream  grpc.BidiStreamingClient[tangledv1.SubmitStreamRequest, tangledv1.SubmitStreamResponse]
	replies []chan error

	sending sync.Mutex
	ended   chan struct{} // closed when no reply comes any more, err is set before
	err     error
}

func newStreamDoor(ctx context.Context, address string, slots int) (*streamDoor, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", address, err)
	}
	d := &streamDoor{conn: conn, replies: make([]chan error, slots), ended: make(chan struct{})}
	for i := range d.replies {
		d.replies[i] = make(chan error, 1)
	}
	if d.stream, err = tangledv1.NewMessagesServiceClient(conn).SubmitStream(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("stream to %s: %w", address, err), conn.Close())
	}
	go d.receive()
	return d, nil
}

func (d *streamDoor) receive() {
	defer close(d.ended)
	for {
		reply, err := d.stream.Recv()
		if err != nil {
			d.err = fmt.Errorf("stream: %w", err)
			return
		}
		if e := reply.GetError(); e != nil {
			err = status.Error(codes.Code(e.GetCode()), e.GetText())
		}
		d.replies[reply.GetSeq()] <- err
	}
}

func (d *streamDoor) publish(ctx context.Context, slot int, topic string, content []byte) error {
	request := &tangledv1.SubmitStreamRequest{
		Seq:  uint64(slot),
		Data: &tangledv1.Data{Topic: topic, ContentType: contentType, Content: content},
	}
	d.sending.Lock()
	err := d.stream.Send(request)
	d.sending.Unlock()
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	select {
	case err := <-d.replies[slot]:
		return err
	case <-d.ended:
		return d.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the stream and waits for its reader.
func (d *streamDoor) close() error {
	err := d.conn.Close()
	<-d.ended
	return err
}
