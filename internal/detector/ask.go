package detector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// masterID is the libprocess ID of masters.
const masterID = "master"

// maxAnswer bounds the answers that are read; a MasterInfo has some hundred bytes.
const maxAnswer = 1 << 20

// ask finds the leader through one master: that one says where the leader is,
// and the leader what its PID is. The latter may differ from the address by
// which it is reached, and messages have to bear it.
func (d *Detector) ask(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	leader, err := d.redirect(ctx, address)
	if err != nil {
		return "", err
	}
	pid, err := d.self(ctx, leader)
	if err == nil {
		return pid, nil
	}
	if leader != address {
		// What the leader calls itself may be no address from here.
		if pid, again := d.self(ctx, address); again == nil {
			return pid, nil
		}
	}
	d.cfg.Log.V(1).Info("leading master does not tell its PID", "leader", leader, "reason", err.Error())
	return resolve(ctx, leader)
}

// redirect asks where the leader is.
func (d *Detector) redirect(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.cfg.TLS.Scheme()+"://"+address+"/redirect", nil)
	if err != nil {
		return "", err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking for the leader: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusMovedPermanently, http.StatusFound, http.StatusPermanentRedirect:
		return leaderOf(resp.Header.Get("Location"))
	case http.StatusServiceUnavailable:
		return "", ErrNoLeader
	}
	return "", fmt.Errorf("asking for the leader: unexpected answer %s", resp.Status)
}

// leaderOf reads a Location such as //10.0.0.1:5050.
func leaderOf(location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil {
		return "", fmt.Errorf("asking for the leader: %w", err)
	}
	address, err := libprocess.ParseAddress(u.Host)
	if err != nil {
		return "", fmt.Errorf("asking for the leader: redirected to %q: %w", location, err)
	}
	return address.String(), nil
}

// self asks the leader for its PID.
func (d *Detector) self(ctx context.Context, address string) (string, error) {
	call, err := codec.Marshal(codec.JSON, &master.Call{Type: master.Call_GET_MASTER.Enum()})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.cfg.TLS.Scheme()+"://"+address+"/api/v1", bytes.NewReader(call))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", codec.JSON)
	req.Header.Set("Accept", codec.JSON)
	resp, err := d.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET_MASTER: %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", err
	}
	answer := &master.Response{}
	if err := codec.Unmarshal(codec.JSON, body, answer); err != nil {
		return "", err
	}
	pid, err := libprocess.ParsePID(answer.GetGetMaster().GetMasterInfo().GetPid())
	if err != nil {
		return "", fmt.Errorf("GET_MASTER: %w", err)
	}
	return pid.String(), nil
}

// resolve makes a PID of an address, as Mesos's agents do.
func resolve(ctx context.Context, address string) (string, error) {
	a, err := libprocess.ParseAddress(address)
	if err != nil {
		return "", err
	}
	if a, err = a.Resolve(ctx); err != nil {
		return "", err
	}
	return libprocess.PID{ID: masterID, Address: a}.String(), nil
}
