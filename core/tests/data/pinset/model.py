#!/usr/bin/env python3
"""Reference model of the pin-set client (signatures simulated as key-id sets over exact payload bytes).
Random adversary; checks the invariants named I1 to I17."""
import json, random, sys, copy
DAY=86400
CAP_VALID=398*DAY; CAP_GRACE=180*DAY
# ---------- documents -------------------------------------------------------
def enc(d): return json.dumps(d,separators=(',',':'),sort_keys=True)
def env(payload,keys): return {'p':payload,'s':sorted(keys)}      # s = private keys that really signed p
def thr(envl,keys,t):                                             # unique KEYS, not ids, not signature count
    return len(set(envl['s'])&set(keys))>=t
SIG={}                                                            # (payload)->set(keys) that ever signed it: unforgeability oracle
def sign(d,keys):
    p=enc(d); SIG.setdefault(p,set()).update(keys); return env(p,keys)
def authentic(e): return set(e['s'])<=SIG.get(e['p'],set())
# ---------- the one acceptance function (NO CLOCK ARGUMENT) ------------------
class Reject(Exception): pass
def accept(state,bundle,aud):
    """state=(root,pinset) trusted; returns new state or raises. Used for downloads AND for loading the store."""
    root,pin=state
    try:
        chain={}
        for e in bundle['roots']:
            if not authentic(e): continue
            r=json.loads(e['p'])
            if r['t']!='root' or r['version']<=root['version']: continue
            chain.setdefault(r['version'],[]).append((r,e))
        cur=root; n=0
        while cur['version']+1 in chain and n<64:
            ok=None
            for r,e in chain[cur['version']+1]:
                if r['stream']!=cur['stream']: continue
                if r['epoch'] not in (cur['epoch'],cur['epoch']+1): continue
                if not r['issued']<r['expires']: continue
                if not thr(e,cur['rk'],cur['rt']) or not thr(e,r['rk'],r['rt']): continue
                ok=r;break
            if ok is None: break
            cur=ok;n+=1
        e=bundle['pinset']
        if not authentic(e): raise Reject('sig')
        p=json.loads(e['p'])
        if p['t']!='pinset': raise Reject('type')
        if not thr(e,cur['pk'],cur['pt']): raise Reject('threshold')
        if p['stream']!=cur['stream'] or aud not in p['aud']: raise Reject('audience')
        if p['epoch']!=cur['epoch']: raise Reject('epoch')
        if not (p['issued']<p['expires']<=min(cur['expires'],p['issued']+CAP_VALID)): raise Reject('window')
        if not 0<=p['grace']<=CAP_GRACE: raise Reject('grace')
        if cur['epoch']==root['epoch']:
            if p['version']<pin['version']: raise Reject('rollback')
            if p['version']==pin['version'] and enc(p)!=enc(pin): raise Reject('equivocation')
            if p['issued']<pin['issued']: raise Reject('time-rollback')
        return (cur,p)
    except (KeyError,TypeError,ValueError) as x: raise Reject('malformed')
def effective(state,now_dev,build,allow_block=False):
    root,p=state
    now=max(now_dev,root['issued'],p['issued'],build)
    if now<p['expires']: st='fresh'
    elif now<p['expires']+p['grace']: st='stale'
    else: st='lapsed'
    if st!='lapsed': return st,p['mode'],p['pins']
    return st,('block' if (allow_block and p['on_lapse']=='block') else 'system_trust'),[]
# ---------- world -----------------------------------------------------------
class World:
    def __init__(s,rng):
        s.r=rng; s.now=1_700_000_000; s.kid=0; s.hist=[]; s.roots=[]; s.honest=set(); s.stolen=set(); s.poison=[]
        s.rk=[s.k() for _ in range(3)]; s.pk=[s.k()]
        s.epoch=0; s.ver=0; s.root_pub(first=True); s.pin_pub(); s.publish()
    def k(s): s.kid+=1; return 'k%d'%s.kid
    def root_pub(s,first=False,rot_root=False,rot_pin=False,bump=False):
        old=s.rk[:]
        if rot_root: s.rk=s.rk[1:]+[s.k()]
        if rot_pin: s.pk=[s.k()]
        if bump: s.epoch+=1; s.ver=0
        d=dict(t='root',stream='S',version=len(s.roots)+1,epoch=s.epoch,issued=s.now,expires=s.now+730*DAY,rk=s.rk,rt=2,pk=s.pk,pt=1)
        signers=s.rk[:2] if first else list(dict.fromkeys(old[:2]+s.rk[:2]))
        e=sign(d,signers); s.roots.append(e); s.honest.add(e['p'])
    def pin_pub(s,**kw):
        s.ver+=1
        d=dict(t='pinset',stream='S',aud=['A','B'],version=s.ver,epoch=s.epoch,issued=s.now,expires=min(s.now+60*DAY,json.loads(s.roots[-1]['p'])['expires']),grace=60*DAY,
               mode='enforce',pins=['pin%d'%s.ver,'bk'],on_lapse=s.r.choice(['system_trust','block'])); d.update(kw)
        s.pin=sign(d,s.pk); s.honest.add(s.pin['p'])
    def publish(s): s.hist.append({'roots':s.roots[:],'pinset':s.pin})
    def tick(s): s.now+=s.r.randint(1,20)*DAY
    def latest(s): return s.hist[-1]
    def step(s):
        s.tick(); x=s.r.random()
        if x<.15: s.root_pub(rot_root=s.r.random()<.5,rot_pin=s.r.random()<.5)
        elif x<.18: s.root_pub(bump=True)            # epoch bump WITHOUT key rotation (recover from a publisher's fat-finger version)
        elif json.loads(s.roots[-1]['p'])['expires']<s.now+200*DAY: s.root_pub()
        s.pin_pub(); s.publish()
    def steal(s):                       # pinset-role private key leaks (never a root threshold; one root key may leak)
        s.stolen|=set(s.pk); s.stolen.add(s.r.choice(s.rk))
    def evil(s,bundle):
        """attacker bundle: replay / splice / mutate / forge with stolen keys"""
        h=s.r.choice(s.hist); b={'roots':list(s.r.choice(s.hist)['roots']),'pinset':h['pinset']}
        x=s.r.random()
        if x<.2: return copy.deepcopy(h)
        if x<.4: return b
        if x<.5: s.r.shuffle(b['roots']); b['roots']=b['roots'][:s.r.randint(0,len(b['roots']))]; return b
        if x<.6:
            e=copy.deepcopy(b['pinset']); d=json.loads(e['p']); d['mode']='off'; e['p']=enc(d); b['pinset']=e; return b
        if x<.7:
            e=copy.deepcopy(s.r.choice(s.roots)); e['s']=list(s.rk)+['x']; d=json.loads(e['p']); d['version']+=1; d['pk']=['x']; e['p']=enc(d); b['roots'].append(e); return b
        if x<.78: b['pinset']=s.r.choice(s.roots); return b
        if s.stolen:
            lr=json.loads(s.r.choice(s.roots)['p'])
            d=dict(t='pinset',stream='S',aud=['A','B'],version=s.r.choice([s.ver+1,2**53-1,s.ver]),epoch=s.r.choice([lr['epoch'],lr['epoch']+1]),issued=s.r.choice([s.now,lr['expires']-1,s.now-5*DAY]),
                   expires=0,grace=s.r.choice([0,CAP_GRACE,CAP_GRACE+1]),mode='off',pins=['EVIL','EVIL2'],on_lapse='block')
            d['expires']=s.r.choice([d['issued']+1,lr['expires'],d['issued']+CAP_VALID,d['issued']+CAP_VALID+1])
            b=copy.deepcopy(s.latest()); b['pinset']=sign(d,s.stolen)
            if s.r.random()<.3:       # also try a forged root with the one stolen root key
                q=json.loads(s.roots[-1]['p']); q=dict(q,version=q['version']+1,pk=list(s.stolen),rk=list(s.stolen),rt=1)
                b['roots'].append(sign(q,s.stolen))
            return b
        return {'roots':None,'pinset':None}
def merge(store,bundle,old_root,new_root,emb_env):
    # store := every root envelope we have VERIFIED (previous store + embedded root + newly walked links) + accepted pinset
    by={}
    for e in (store['roots'] if store else [])+[emb_env]: by[json.loads(e['p'])['version']]=e
    for d,_,e in sorted(((json.loads(e['p']),i,e) for i,e in enumerate(bundle['roots'])),key=lambda x:(x[0].get('version',0),x[1])):
        if old_root['version']<d['version']<=new_root['version'] and authentic(e):
            prev=json.loads(by[d['version']-1]['p']) if d['version']-1 in by else None
            if prev and thr(e,prev['rk'],prev['rt']) and thr(e,d['rk'],d['rt']): by[d['version']]=e
    return {'roots':[by[v] for v in sorted(by)],'pinset':bundle['pinset']}
def load(embedded,store,aud):
    try: return accept(embedded,store,aud) if store else embedded
    except Reject: return embedded
def order(st): return (st[0]['version'],st[0]['epoch'],st[1]['version'])
def run(seed):
    rng=random.Random(seed); w=World(rng); stats={'acc':0,'rej':{}}
    def emb(i): b=w.hist[i]; return (json.loads(b['roots'][-1]['p']),json.loads(b['pinset']['p']))
    ei=0; store=None; state=load(emb(ei),store,'A'); compromised=False
    for t in range(60):
        a=rng.random()
        if a<.35: w.step()
        elif a<.38 and not compromised: w.steal(); compromised=True
        b=w.latest() if rng.random()<.4 else w.evil(None)
        before=state
        # clock independence: accept() takes no clock; device clock below is only for effective()
        try:
            new=accept(state,b,'A'); 
            if new!=state: stats['acc']+=1; store=merge(store,b,state[0],new[0],w.hist[ei]['roots'][-1]); state=new
        except Reject as e: stats['rej'][str(e)]=stats['rej'].get(str(e),0)+1
        assert order(state)>=order(before) or state[0]['epoch']>before[0]['epoch'], 'I1 rollback'
        # I2 no forgery unless keys stolen
        if not compromised: assert enc(state[0]) in w.honest and enc(state[1]) in w.honest,'I2 forged'
        assert enc(state[0]) in w.honest,'I2r root forged'                      # < threshold root keys never suffices
        # I9: no attacker w/o keys can weaken: mode off never seen unless compromised
        if not compromised: assert state[1]['mode']=='enforce','I7 weakened'
        # I11 enforcement under a withheld (revoked) root cannot outlive root.expires + grace cap
        st,_,_=effective(state,state[0]['expires']+CAP_GRACE,0); assert st=='lapsed','I11'
        # I12 same (root,epoch,version) => same bytes (no silent content swap); I13 time floor never decreases inside an epoch
        if order(state)==order(before): assert enc(state[1])==enc(before[1]),'I12 swap'
        if state[0]['epoch']==before[0]['epoch']: assert state[1]['issued']>=before[1]['issued'],'I13 floor'
        # I14 a pinset of an older epoch is never active under a newer root
        assert state[1]['epoch']==state[0]['epoch'],'I14 epoch'
        # I10 wrong audience
        try: accept(state,b,'Z'); assert False,'aud'
        except Reject: pass
        # enforcement with arbitrary clocks
        for skew in (-4000*DAY,-30*DAY,0,30*DAY,400*DAY):
            st,mode,_=effective(state,w.now+skew,0); assert not(st=='lapsed' and mode=='block')
        # I4 every state lapses within the cap
        st,mode,_=effective(state,state[1]['issued']+CAP_VALID+CAP_GRACE,0); assert st=='lapsed' and mode=='system_trust','I4'
        # storage attack / app update / downgrade => restart
        x=rng.random()
        if x<.25:
            bad=rng.choice([None,w.evil(None),{'roots':[],'pinset':{'p':'{','s':[]}},store])
            ei2=rng.choice([ei,len(w.hist)-1,rng.randrange(len(w.hist))])
            s2=load(emb(ei2),bad,'A'); e2=emb(ei2)
            assert order(s2)>=order(e2) or s2[0]['epoch']>e2[0]['epoch'],'I8 below embedded'
            if not compromised: assert enc(s2[1]) in w.honest,'I8 forged from store'
            if bad is store and ei2==ei: assert s2==state,'I8b reload loses state'
            if rng.random()<.5: ei=ei2; store=(merge(None,bad,e2[0],s2[0],w.hist[ei]['roots'][-1]) if s2!=e2 else None); state=s2
    # I15 a root that its own (new) keys did not sign is never adopted (typo'd / lost keys would end the chain)
    bad=json.loads(w.roots[-1]['p']); bad=dict(bad,version=bad['version']+1,rk=['lost1','lost2','lost3'],issued=w.now,expires=w.now+730*DAY)
    bp=dict(json.loads(w.pin['p']),version=w.ver+1,issued=w.now,expires=w.now+DAY)
    try:
        s1=accept(state,{'roots':w.roots+[sign(bad,w.rk)],'pinset':sign(bp,w.pk)},'A'); assert 'lost1' not in s1[0]['rk'],'I15 dead root adopted'
    except Reject: pass
    # I16 same key in both roles (operator shortcut): a root payload can never be used as a pinset
    try: accept((dict(state[0],pk=w.rk,pt=1),state[1]),{'roots':[],'pinset':w.roots[-1]},'A'); assert False,'I16 type confusion'
    except Reject as r: assert str(r)=='type','I16 type confusion'
    # I17 epoch may only move by one (an operator's typo must not exhaust it)
    big=dict(json.loads(w.roots[-1]['p']),version=len(w.roots)+1,epoch=2**53-1,issued=w.now,expires=w.now+730*DAY)
    bp=dict(json.loads(w.pin['p']),version=1,epoch=2**53-1,issued=w.now,expires=w.now+DAY)
    try: s1=accept(state,{'roots':w.roots+[sign(big,w.rk)],'pinset':sign(bp,w.pk)},'A'); assert s1[0]['epoch']<2**53-1,'I17 epoch exhausted'
    except Reject: pass
    # I3 liveness: honest recovery (root rotation of pinset keys + epoch bump), honest network, ONE fetch, from this state and from every embedded version
    w.tick(); w.root_pub(rot_pin=True,bump=True); w.pin_pub(); w.publish(); L=w.latest()
    for s0 in [state]+[emb(i) for i in range(len(w.hist))]:
        s1=accept(s0,L,'A'); assert enc(s1[1])==L['pinset']['p'],'I3 brick'
    # and the stolen key is dead afterwards
    for _ in range(30):
        b=w.evil(None)
        try: s1=accept((json.loads(L['roots'][-1]['p']),json.loads(L['pinset']['p'])),b,'A'); assert enc(s1[1]) in w.honest,'stolen key alive'
        except Reject: pass
    SIG.clear(); return stats
if __name__=='__main__':
    N=int(sys.argv[1]) if len(sys.argv)>1 else 2000; tot={};acc=0
    for s in range(N):
        st=run(s); acc+=st['acc']
        for k,v in st['rej'].items(): tot[k]=tot.get(k,0)+v
    print('runs',N,'accepted',acc,'rejected',dict(sorted(tot.items(),key=lambda x:-x[1])))
