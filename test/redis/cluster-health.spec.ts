import { clusterProblem, type ClusterView } from '../../lib/redis/cluster-health.js';

const view = (state: string, assigned: number, ok = assigned): ClusterView => ({
  cluster_state: state,
  cluster_slots_assigned: String(assigned),
  cluster_slots_ok: String(ok),
});
const WHOLE = view('ok', 16_384);
/** Of a node that was removed (CLUSTER FORGET, CLUSTER RESET): it knows of no other, and no slot. */
const REMOVED = view('fail', 0);

describe('what is told of a cluster by what its nodes say', () => {
  it('is the worst that one of them sees', () => {
    expect(clusterProblem([WHOLE, WHOLE])).toBeUndefined();
    expect(clusterProblem([WHOLE, view('ok', 16_384, 16_383)])).toMatchObject({
      code: 'SLOTS_MISSING',
      text: expect.stringContaining('1 of its 16384 slots has no node') as string,
    });
    expect(clusterProblem([view('fail', 16_384, 10_923), WHOLE])).toMatchObject({
      code: 'CLUSTER_DOWN',
    });
  });

  it('is nothing of what a node says that was removed, and is not forgotten here yet', () => {
    expect(clusterProblem([WHOLE, REMOVED, WHOLE])).toBeUndefined();
    expect(clusterProblem([REMOVED])).toMatchObject({ code: 'CLUSTER_DOWN' });
  });
});
