import { Namespace } from './namespace.js';

const [HERE, THERE] = ['10.77.0.1', '10.77.0.2'];
const NOBODY = '02:00:00:00:00:01';

/**
 * Two networks of this machine, joined by a cable: `near` for clients, `far` for a server at `address`. While it is cut,
 * packets go to an address that no card has, in both directions, and nobody is told: as in life, TCP tries again, ever
 * more rarely.
 */
export class Wire {
  readonly address = THERE;

  private constructor(
    readonly near: Namespace,
    readonly far: Namespace,
    private readonly cards: { near: string; far: string },
  ) {}

  static async lay(): Promise<Wire> {
    const near = await Namespace.open('net');
    const far = await near.openAnother('net');
    near.run(`ip link add near type veth peer name far netns ${far.pid}`);
    near.run(`ip addr add ${HERE}/24 dev near; ip link set near up; ip link set lo up`);
    far.run(`ip addr add ${THERE}/24 dev far; ip link set far up; ip link set lo up`);
    const card = (end: Namespace, name: string): string =>
      end.run(`ip -br link show ${name}`).trim().split(/\s+/)[2]!;
    return new Wire(near, far, { near: card(near, 'near'), far: card(far, 'far') });
  }

  cut(): void {
    this.point({ near: NOBODY, far: NOBODY });
  }

  mend(): void {
    this.point(this.cards);
  }

  async close(): Promise<void> {
    await this.far.close();
    await this.near.close();
  }

  private point(cards: { near: string; far: string }): void {
    this.near.run(`ip neigh replace ${THERE} lladdr ${cards.far} nud permanent dev near`);
    this.far.run(`ip neigh replace ${HERE} lladdr ${cards.near} nud permanent dev far`);
  }
}
