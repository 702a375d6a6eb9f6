#!/usr/bin/env python3
"""Histories by the model's random adversary, as documents in their real format, with its answers.

    histories.py FIRST_SEED COUNT

prints one history a line: {"docs": [envelope, ...], "steps": [step, ...]}. Documents are named by
their index. A step is
    ["ship", root, pinset]             the client begins with these, and with an empty store
    ["offer", roots, pinset, answer]   a download, which the client adopts if it is accepted
    ["spoil", roots, pinset, answer]   a restart with this in the store; the client goes on with it
    ["restart", answer]                a restart with what the client stored
An answer is [root, pinset], whose payloads the client now trusts, or the reason of a rejection.

A signature is SHA-256(public key || pre-authentication encoding), which only this generator makes:
an oracle in the place of ECDSA, so that 100,000 histories take minutes.
"""
import base64, copy, datetime, hashlib, json, random, sys
import model
from model import DAY, CAP_GRACE, CAP_VALID, accept, enc, load, merge, sign, Reject, World

STEPS = 24
TYPE = {t: 'application/vnd.pinfold.%s.v1+json' % t for t in ('root', 'pinset')}
SPKI = bytes.fromhex('3059301306072a8648ce3d020106082a8648ce3d030107034200')

def b64(b): return base64.b64encode(b).decode()
def time(t): return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
def point(key): return b'\x04' + hashlib.sha512(key.encode()).digest()
def pae(t, body): return b'DSSEv1 %d %s %d %s' % (len(t), t.encode(), len(body), body)

def real(d):
    """A document of the model in its real format."""
    r = {'schema': 1, 'crit': [], 'stream': d['stream'], 'version': d['version'], 'epoch': d['epoch'],
         'issued': time(d['issued']), 'expires': time(d['expires'])}
    if d['t'] == 'root':
        keys = list(dict.fromkeys(d['rk'] + d['pk']))
        r['keys'] = [{'id': k, 'alg': 'ES256', 'spki': b64(SPKI + point(k))} for k in keys]
        r['roles'] = {'root': {'keys': d['rk'], 'threshold': d['rt']},
                      'pinset': {'keys': d['pk'], 'threshold': d['pt']}}
    else:
        pins = [{'sha256': b64(hashlib.sha256(p.encode()).digest())} for p in d['pins']]
        r.update(aud=d['aud'], grace_days=-(-d['grace'] // DAY), hosts=[{'host': 'api.example.com', 'pins': pins}],
                 defaults={'mode': d['mode'], 'on_lapse': d['on_lapse']})
    return json.dumps(r, separators=(',', ':')).encode()

class Recorder:
    def __init__(s): s.docs = []; s.index = {}; s.steps = []
    def doc(s, e):
        key = (e['p'], tuple(e['s']))
        if key not in s.index:
            d = json.loads(e['p']); t = TYPE[d['t']]; body = real(d); message = pae(t, body)
            signers = model.SIG.get(e['p'], ())
            sigs = [{'keyid': k, 'sig': b64(hashlib.sha256(point(k) + message).digest() if k in signers else bytes(32))}
                    for k in e['s']]
            s.index[key] = s.index[e['p']] = len(s.docs)
            s.docs.append({'payloadType': t, 'payload': b64(body), 'signatures': sigs})
        return s.index[key]
    def bundle(s, b):
        return [None if b['roots'] is None else [s.doc(e) for e in b['roots']],
                None if b['pinset'] is None else s.doc(b['pinset'])]
    def state(s, st): return [s.index[enc(st[0])], s.index[enc(st[1])]]
    def step(s, *what): s.steps.append(list(what))

def typo(w):
    """What a publisher with its keys could sign by mistake."""
    b = copy.deepcopy(w.latest()); x = w.r.random()
    root = json.loads(w.roots[-1]['p']); pin = json.loads(w.pin['p'])
    root.update(version=root['version'] + 1); pin.update(version=pin['version'] + 1)
    if x < .5:
        root.update(w.r.choice([{'epoch': root['epoch'] + 2}, {'stream': 'T'}, {'expires': root['issued']}, {'rt': 3},
                                {'version': root['version'] + 1}, {'rk': ['l1', 'l2', 'l3']}, {'epoch': root['epoch'] + 1},
                                {}]))
        b['roots'].append(sign(root, w.r.choice([w.rk, w.rk[:2], w.rk[:1], w.pk, w.rk[1:] + ['z']])))
        w.r.shuffle(b['roots'])
    if x > .3:
        pin.update(w.r.choice([{'stream': 'T'}, {'aud': ['B']}, {'expires': pin['issued']}, {'grace': CAP_GRACE + DAY},
                               {'epoch': pin['epoch'] + 1}, {'expires': root['expires'] + 1}, {'issued': pin['issued'] - 1},
                               {'version': pin['version'] - 1, 'mode': 'report_only'}, {'expires': pin['issued'] + CAP_VALID + 1},
                               {'issued': 0}, {}]))
        b['pinset'] = sign(pin, w.r.choice([w.pk, w.pk, w.rk, w.pk + w.rk]))
    return b

def cut(w, state):
    """Genuine and new, without the roots that the client has."""
    b = copy.deepcopy(w.latest()); b['roots'] = b['roots'][state[0]['version']:]; w.r.shuffle(b['roots'])
    return b

def history(seed):
    rng = random.Random(seed); w = World(rng); rec = Recorder(); known = {}
    def emb(i): b = w.hist[i]; return json.loads(b['roots'][-1]['p']), json.loads(b['pinset']['p'])
    def ship(i): rec.step('ship', rec.doc(w.hist[i]['roots'][-1]), rec.doc(w.hist[i]['pinset']))
    ei = 0; store = None; state = emb(0); stolen = False; ship(0)
    for _ in range(STEPS):
        a = rng.random()
        if a < .35: w.step()
        elif a < .40 and not stolen: w.steal(); stolen = True
        x = rng.random()
        b = w.latest() if x < .3 else typo(w) if x < .45 else cut(w, state) if x < .55 else w.evil(None)
        name = rec.bundle(b)
        try:
            new = accept(state, b, 'A')
            rec.step('offer', *name, rec.state(new))
            if new != state: store = merge(store, b, state[0], new[0], w.hist[ei]['roots'][-1]); state = new
        except Reject as e: rec.step('offer', *name, str(e))
        x = rng.random()
        if x < .1:
            loaded = load(emb(ei), store, 'A'); rec.step('restart', rec.state(loaded)); state = loaded
        elif x < .25:
            ei = rng.choice([ei, len(w.hist) - 1, rng.randrange(len(w.hist))]); ship(ei); e = emb(ei)
            bad = w.evil(None); name = rec.bundle(bad)
            try: s = accept(e, bad, 'A'); rec.step('spoil', *name, rec.state(s))
            except Reject as r: s = e; rec.step('spoil', *name, str(r))
            store = merge(None, bad, e[0], s[0], w.hist[ei]['roots'][-1]) if s != e else None
            state = s
    # An honest recovery, from where the client is and from some versions of the app. Only a client
    # that followed a root of `typo`, another truth of that version, can refuse it.
    w.tick(); w.root_pub(rot_pin=True, bump=True); w.pin_pub(); w.publish(); name = rec.bundle(w.latest())
    try: rec.step('offer', *name, rec.state(accept(state, w.latest(), 'A')))
    except Reject as e: rec.step('offer', *name, str(e))
    for i in sorted({rng.randrange(len(w.hist)) for _ in range(3)}):
        ship(i); rec.step('offer', *name, rec.state(accept(emb(i), w.latest(), 'A')))
    model.SIG.clear()
    return {'docs': rec.docs, 'steps': rec.steps}

if __name__ == '__main__':
    first, count = map(int, sys.argv[1:])
    for seed in range(first, first + count):
        print(json.dumps(history(seed), separators=(',', ':')))
