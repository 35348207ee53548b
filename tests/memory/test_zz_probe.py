import json, time, threading, psycopg, pytest
def err(c, q, *a):
    try:
        r=c.execute(q, a).fetchall(); return 'OK', r[:2]
    except psycopg.Error as e:
        return e.sqlstate, str(e)[:300], e.diag.message_detail
def test_probe(database):
    db=database
    app=db.connect('memos_app'); adm=db.connect('memos_admin'); su=db.connect()
    u=db.user_id('u')
    P=lambda n,*a: print('\n##',n,*a)
    ids=[r[1] for r in app.execute("select * from memos.add_memories(%s,%s)",(u,json.dumps([{"content":f"m {i}"} for i in range(3000)]))).fetchall()]
    P('ids in order', ids==sorted(ids), sum(a>b for a,b in zip(ids,ids[1:])))
    # unique words
    words=' '.join(f"w{i:06d}" for i in range(130000))
    P('1MB unique words', len(words), err(app,"select memos.add_memory(%s,%s)",db.user_id('big'),words))
    P('embedding 20000', err(app,"select * from memos.add_memories(%s,%s)",u,json.dumps([{"content":"e","embedding":[1]*20000}])))
    P('content object', err(app,"select * from memos.add_memories(%s,%s)",u,json.dumps([{"content":{"a":1}}])))
    adm.execute("select memos_admin.register_embedding_model('ext',3,'external')")
    P('lower bound', err(app,"select * from memos.add_memories(%s,%s,'[0:1]={\"[1,0,0]\",\"[0,1,0]\"}'::halfvec[])",db.user_id('lb'),json.dumps([{"content":"one"},{"content":"two"}])), su.execute("select m.content, e.embedding::text from memos_private.memory m left join memos_private.embedding e using (user_id, memory_id) where m.user_id=%s",(db.user_id('lb'),)).fetchall())
    # as of after deletion of all
    v=db.user_id('v')
    for t in ["alpha beta gamma delta epsilon zeta","alpha alpha", "other things entirely"]:
        app.execute("select memos.add_memory(%s,%s)",(v,t))
    q="select content, score, explanation->'lanes' from memos.search_memories(%s,'alpha',p_explain=>true,p_weights=>'{\"dense\":0}',p_recorded_at=>%s)"
    t=su.execute("select clock_timestamp()").fetchone()[0]
    P('now', app.execute("select content, score from memos.search_memories(%s,'alpha',p_weights=>'{\"dense\":0}')",(v,)).fetchall())
    P('asof', app.execute(q,(v,t)).fetchall())
    for (m,) in app.execute("select memory_id from memos.list_memories(%s)",(v,)).fetchall(): app.execute("select memos.delete_memory(%s,%s)",(v,m))
    P('asof after all deleted', app.execute(q,(v,t)).fetchall())
    # window float
    P('window 100.5', err(adm,"select memos_admin.register_embedding_model('w',3,'external','{\"window_chars\":100.5}')"))
    P('claim', err(adm,"select count(*) from memos_admin.claim_embeddings('w1', 10)"))
    P('set float', err(adm,"select memos_admin.set_setting('max_content_bytes','1.5')"), err(app,"select memos.add_memory(%s,'zzz')",u))
    adm.execute("select memos_admin.set_setting('max_content_bytes','1048576')")
    P('set 0', err(adm,"select memos_admin.set_setting('max_search_limit','0')"), err(app,"select memos.list_memories(%s)",u))
    adm.execute("select memos_admin.set_setting('max_search_limit','1000')")
    P('k1', err(adm,"select memos_admin.set_setting('bm25_b','5')"))
    adm.execute("select memos_admin.set_setting('bm25_b','0.75')")
    su.execute("delete from memos_private.embedding_queue where model_id=2");su.execute("delete from memos_private.embedding_model where model_id=2")
    # complete dup, passage
    x=db.user_id('x'); m=app.execute("select memos.add_memory(%s,'hello x')",(x,)).fetchone()[0]
    su.execute("delete from memos_private.embedding_queue where user_id<>%s",(x,))
    c=adm.execute("select user_id::text,memory_id::text,version,model,passage from memos_admin.claim_embeddings('w',10)").fetchall()
    d=dict(zip("user_id memory_id version model passage".split(),c[0]))
    P('dup', err(adm,"select memos_admin.complete_embeddings('w',%s,%s::halfvec[])",json.dumps([d,d]),['[1,0,0]','[0,1,0]']))
    P('passage 70000', err(adm,"select memos_admin.complete_embeddings('w',%s,%s::halfvec[])",json.dumps([d|{"passage":70000}]),['[1,0,0]']))
    P('passage 7', err(adm,"select memos_admin.complete_embeddings('w',%s,%s::halfvec[])",json.dumps([d|{"passage":7}]),['[1,0,0]']), su.execute("select passage from memos_private.embedding where user_id=%s",(x,)).fetchall(), su.execute("select count(*) from memos_private.embedding_queue where user_id=%s",(x,)).fetchall())
    P('complete [] ', err(adm,"select memos_admin.complete_embeddings('w','[]','{}')"))
    P('complete 2d', err(adm,"select memos_admin.complete_embeddings('w',%s,'{{\"[1,0,0]\"},{\"[1,0,0]\"}}')",json.dumps([d,d])))
    P('complete scalar', err(adm,"select memos_admin.complete_embeddings('w','[1]','{\"[1,0,0]\"}')"), err(adm,"select memos_admin.fail_embeddings('w','[1]')"),err(adm,"select memos_admin.fail_embeddings('w','[{}]')"))
    P('embed 0', err(adm, "call memos_admin.embed_pending(0)"))
    # future/expired consistency
    y=db.user_id('y'); m=app.execute("select memos.add_memory(%s,'parking permit',p_occurred_at=>now()-interval '2 days')",(y,)).fetchone()[0]
    app.execute("select memos.update_memory(%s,%s,jsonb_build_object('valid_until', now()-interval '1 day'))",(y,m))
    t=su.execute("select clock_timestamp()").fetchone()[0]
    P('expired now', app.execute("select content from memos.search_memories(%s,'parking')",(y,)).fetchall(), 'as of', app.execute("select content from memos.search_memories(%s,'parking',p_recorded_at=>%s)",(y,t)).fetchall())
    P('update expired', err(app,"select memos.update_memory(%s,%s,'{\"content\":\"parking permit two\"}')",y,m))
    # poison window
    adm.execute("select memos_admin.register_embedding_model('tiny',3,'external','{\"window_chars\":16}')")
    z=db.user_id('z'); t0=time.time(); m=app.execute("select memos.add_memory(%s,%s)",(z,"ab cd efgh ij klm. "*32000)).fetchone()[0]
    P('add',time.time()-t0); t0=time.time()
    P('claim poison', err(adm,"select count(*) from memos_admin.claim_embeddings('w9', 10000, p_model=>'tiny')"), time.time()-t0)
    su.execute("delete from memos_private.embedding_queue"); 
    for w in (500,2000):
        t0=time.time(); n=su.execute("select count(*) from memos_private.passages(%s,%s)",("汉字"*170000,w)).fetchone(); P('passages',w,n,time.time()-t0)
    t0=time.time(); n=su.execute("select count(*) from memos_private.passages(%s,%s)",("Hello there. "*80000,500)).fetchone(); P('passages ascii',n,time.time()-t0)
    adm.execute("select memos_admin.register_embedding_model('h',64,'hash')")
    P('hash', err(app,"select content, score from memos.search_memories(%s,%s,p_model=>'h')",x,"\u200b"), err(app,"select content, score from memos.search_memories(%s,%s,p_model=>'h')",x,"\u00a0"))
    # RR registration
    r=db.connect('memos_app', autocommit=False); r.isolation_level=psycopg.IsolationLevel.REPEATABLE_READ
    r.execute("select 1"); r.execute("select count(*) from memos.list_memories(%s)",(x,))
    adm.execute("select memos_admin.register_embedding_model('late',3,'external')")
    m=r.execute("select memos.add_memory(%s,'written under an old snapshot')",(x,)).fetchone()[0]; r.commit()
    P('RR', su.execute("select m.name from memos_private.embedding_queue q join memos_private.embedding_model m using (model_id) where memory_id=%s",(m,)).fetchall(), su.execute("select name from memos_private.embedding_model").fetchall())
    P('embedding_status', adm.execute("select * from memos_admin.embedding_status()").fetchall())
