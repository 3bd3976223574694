import { clusterProblem, type ClusterView } from '../../lib/redis/cluster-health.js';

const view = (state: string, assigned: number, ok = assigned): ClusterView => ({
  cluster_state: state,
  cluster_slots_assigned: String(assigned),
  cluster_slots_ok: String(ok),
});
const WHOLE = view('ok', 16_384);
const SOME = view('ok', 16_384, 16_383);
/** Of a node that was removed (CLUSTER FORGET, CLUSTER RESET): it knows of no other, and no slot. */
const REMOVED = view('fail', 0);

describe('what the nodes of a cluster say of it', () => {
  it('is no problem while each slot has a node, or when nobody says anything', () => {
    expect(clusterProblem([WHOLE, WHOLE])).toBeUndefined();
    expect(clusterProblem([])).toBeUndefined();
  });

  it('is no problem while one of them alone cannot reach another', () => {
    const apart = { ...view('ok', 16_384, 10_922), cluster_slots_pfail: '5462' };
    expect(clusterProblem([WHOLE, apart])).toBeUndefined();
    expect(clusterProblem([{ ...apart, cluster_state: 'fail' }])).toMatchObject({
      code: 'CLUSTER_DOWN',
      text: expect.stringContaining('5462 of its 16384 slots have no node'),
    });
  });

  it('is judged by the one that sees least', () => {
    expect(clusterProblem([WHOLE, SOME])).toMatchObject({
      code: 'SLOTS_MISSING',
      text: expect.stringMatching(/^1 of its 16384 slots has no node that serves it: /),
    });
    expect(clusterProblem([SOME, view('fail', 16_384), WHOLE])).toMatchObject({
      code: 'SLOTS_MISSING',
    });
    expect(clusterProblem([view('fail', 16_384), WHOLE])).toMatchObject({
      code: 'CLUSTER_DOWN',
      text: expect.stringContaining('for now'),
    });
    expect(clusterProblem([view('fail', 16_384, 10_923), WHOLE])).toMatchObject({
      code: 'CLUSTER_DOWN',
    });
  });

  it('is down for one node alone when most of them go on', () => {
    expect(clusterProblem([WHOLE, view('fail', 16_384), WHOLE])).toMatchObject({
      code: 'NODE_REFUSES',
      text: expect.stringMatching(/^1 of its 3 nodes refuses all .*: sends to queues there fail/),
    });
  });

  it('is nothing of what one says that was removed, and is not forgotten here yet', () => {
    expect(clusterProblem([WHOLE, REMOVED, WHOLE])).toBeUndefined();
    expect(clusterProblem([REMOVED])).toMatchObject({ code: 'CLUSTER_DOWN' });
  });
});
