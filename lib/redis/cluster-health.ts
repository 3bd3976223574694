import type { StoreProblem } from '../core/runtime/store-health.js';

/** A reply of CLUSTER INFO as fields. */
export type ClusterView = Readonly<Record<string, string>>;

const SLOTS = 16_384;

/**
 * Judges a cluster by what its nodes say of it; the one that sees least tells most, unless it sees nothing: it was removed,
 * and clients may know it for a while. That all is refused is believed when half of them say so: one alone has lost sight of the
 * others, or came back a moment ago. Pure.
 */
export function clusterProblem(views: readonly ClusterView[]): StoreProblem | undefined {
  const known = views.filter((view) => view['cluster_slots_assigned'] !== '0');
  const members = known.length > 0 ? known : views;
  const refusing = members.filter(refusesAll);
  if (refusing.length > 0 && refusing.length * 2 >= members.length) return problemOfAll(refusing);
  const others = members.filter((view) => !refusesAll(view));
  return problemOfAll(others) ?? someRefuse(refusing.length, members.length);
}

function problemOfAll(views: readonly ClusterView[]): StoreProblem | undefined {
  const [worst] = views.toSorted((a, b) => served(a) - served(b));
  return worst && problemOf(worst);
}

function someRefuse(count: number, members: number): StoreProblem | undefined {
  if (count === 0) return undefined;
  return {
    level: 'error',
    code: 'NODE_REFUSES',
    text: `${count} of its ${members} nodes ${count === 1 ? 'refuses' : 'refuse'} all (cluster_state:fail): sends to queues there fail, others go on. A node that comes back waits a moment; one that goes on so cannot reach most of the others`,
  };
}

function problemOf(view: ClusterView): StoreProblem | undefined {
  const missing = SLOTS - served(view);
  const gap = `${missing} of its ${SLOTS} slots ${missing === 1 ? 'has' : 'have'} no node that serves ${missing === 1 ? 'it' : 'them'}`;
  if (refusesAll(view))
    return {
      level: 'error',
      code: 'CLUSTER_DOWN',
      text:
        missing > 0
          ? `all is refused, as ${gap} (cluster_state:fail). Start their nodes again, or promote a replica (CLUSTER FAILOVER TAKEOVER)`
          : 'all is refused for now (cluster_state:fail): a node that comes back waits a moment. Try again in a moment',
    };
  if (missing === 0) return undefined;
  return {
    level: 'error',
    code: 'SLOTS_MISSING',
    text: `${gap}: sends to queues there fail, others go on. Start their node again, promote its replica (CLUSTER FAILOVER TAKEOVER), or give them to another node`,
  };
}

function refusesAll(view: ClusterView): boolean {
  return view['cluster_state'] === 'fail';
}

/**
 * Neither unassigned, nor of a node that is dead by what most say. While all goes on, what this node alone cannot reach (PFAIL)
 * counts as served: of a dead node the others would soon say the same. When all is refused they may be too few to agree.
 */
function served(view: ClusterView): number {
  const suspected = refusesAll(view) ? 0 : Number(view['cluster_slots_pfail'] ?? 0);
  return Number(view['cluster_slots_ok'] ?? SLOTS) + suspected;
}
