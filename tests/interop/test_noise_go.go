// SPDX-License-Identifier: MIT

// noise against flynn/noise, an implementation in Go: either is the initiator, records cross both ways, keys change.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/flynn/noise"
)

const (
	mask       = 0x5a
	refused    = 2
	badRecord  = 3
	rekeyEvery = 65536
	burst      = 256
)

var (
	psk      = bytes.Repeat([]byte{100}, 32)
	prologue = []byte("\x00\x0aoutboard/1\x00\x07msgpack\x00\x05noise")
)

func check(promise bool, format string, args ...interface{}) {
	if !promise {
		fmt.Printf("failed: "+format+"\n", args...)
		os.Exit(1)
	}
}

// ours is noise-peer, behind lengths of two bytes.
type ours struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

func start(role string) *ours {
	peer := filepath.Join(os.Getenv("OB_TEST_BUILD"), "tests", "noise-peer")
	o := &ours{cmd: exec.Command(peer, role, hex.EncodeToString(psk), hex.EncodeToString(prologue))}
	o.in, _ = o.cmd.StdinPipe()
	o.out, _ = o.cmd.StdoutPipe()
	err := o.cmd.Start()
	check(err == nil, "start: %v", err)
	return o
}

func (o *ours) send(message []byte) {
	frame := make([]byte, 2, 2+len(message))
	binary.BigEndian.PutUint16(frame, uint16(len(message)))
	_, err := o.in.Write(append(frame, message...))
	check(err == nil, "write: %v", err)
}

// receive returns nil at the end.
func (o *ours) receive() []byte {
	var head [2]byte
	if _, err := io.ReadFull(o.out, head[:]); err == io.EOF {
		return nil
	}
	message := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := io.ReadFull(o.out, message)
	check(err == nil, "read: %v", err)
	return message
}

func (o *ours) endsWith(status int) {
	o.in.Close()
	o.cmd.Wait()
	check(o.cmd.ProcessState.ExitCode() == status, "noise-peer ended with %v, not %d", o.cmd.ProcessState, status)
}

func theirs(initiator bool, psk, prologue []byte) *noise.HandshakeState {
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:  noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashBLAKE2b),
		Pattern:      noise.HandshakeNN,
		Initiator:    initiator,
		Prologue:     prologue,
		PresharedKey: psk, // at place 0
	})
	check(err == nil, "state: %v", err)
	return state
}

// direction is a CipherState whose key is changed as docs/PROTOCOL.md says.
type direction struct{ *noise.CipherState }

func (d direction) advance() {
	if d.Nonce()%rekeyEvery == 0 {
		d.Rekey()
	}
}

func (d direction) seal(text []byte) []byte {
	record, err := d.Encrypt(nil, nil, text)
	check(err == nil, "encrypt: %v", err)
	d.advance()
	return record
}

func (d direction) open(record []byte) []byte {
	text, err := d.Decrypt(nil, nil, record)
	check(err == nil, "decrypt: %v", err)
	d.advance()
	return text
}

// open is a whole handshake; the directions are those of flynn/noise.
func open(role string) (o *ours, send, receive direction) {
	o = start(role)
	state := theirs(role == "responder", psk, prologue)
	if role == "initiator" {
		_, _, _, err := state.ReadMessage(nil, o.receive())
		check(err == nil, "first message: %v", err)
		message, one, two, err := state.WriteMessage(nil, nil)
		check(err == nil, "second message: %v", err)
		o.send(message)
		return o, direction{two}, direction{one}
	}
	message, _, _, err := state.WriteMessage(nil, nil)
	check(err == nil, "first message: %v", err)
	o.send(message)
	payload, one, two, err := state.ReadMessage(nil, o.receive())
	check(err == nil && len(payload) == 0, "second message: %v", err)
	return o, direction{one}, direction{two}
}

func exchange(o *ours, send, receive direction, texts ...[]byte) {
	for _, text := range texts {
		o.send(send.seal(text))
	}
	for _, text := range texts {
		answer := receive.open(o.receive())
		for i := range answer {
			answer[i] ^= mask
		}
		check(bytes.Equal(answer, text), "the answer is another")
	}
}

func recordsOfEverySize(role string) {
	o, send, receive := open(role)
	sizes := []int{16383, 16384, 65519}
	for size := 0; size < 130; size++ {
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		text := make([]byte, size)
		rand.Read(text)
		exchange(o, send, receive, text)
	}
	o.endsWith(0)
}

// Across two changes of the key.
func keysChange(role string) {
	o, send, receive := open(role)
	for n := 0; n < 2*rekeyEvery+burst; n += burst {
		var texts [][]byte
		for i := 0; i < burst; i++ {
			texts = append(texts, []byte(fmt.Sprint(n+i)))
		}
		exchange(o, send, receive, texts...)
	}
	check(receive.Nonce() == 2*rekeyEvery+burst, "%d records", receive.Nonce())
	o.endsWith(0)
}

func changedRecord(role string) {
	o, send, receive := open(role)
	exchange(o, send, receive, []byte("fine"))
	record := send.seal(make([]byte, 100))
	record[50] ^= 1
	o.send(record)
	check(o.receive() == nil, "an answer to a changed record")
	o.endsWith(badRecord)
}

func anotherSecret(role string, psk, prologue []byte) {
	o := start(role)
	state := theirs(role == "responder", psk, prologue)
	if role == "initiator" {
		_, _, _, err := state.ReadMessage(nil, o.receive())
		check(err != nil, "it took a message of another")
		o.endsWith(1) // its input ended
		return
	}
	message, _, _, _ := state.WriteMessage(nil, nil)
	o.send(message)
	check(o.receive() == nil, "an answer to another")
	o.endsWith(refused)
}

func main() {
	for _, role := range []string{"initiator", "responder"} {
		recordsOfEverySize(role)
		keysChange(role)
		changedRecord(role)
		anotherSecret(role, make([]byte, 32), prologue)
		anotherSecret(role, psk, nil)
		fmt.Printf("ours as %s: fine\n", role)
	}
}
