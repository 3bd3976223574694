import type { BaseRpcContext } from '@nestjs/microservices';

/** One parameter of a handler, as Nest resolved its decorator. */
export interface HandlerParam {
  index: number;
  /** A word for the decorators of users, a number for those of Nest. */
  type: number | string;
  pipes: readonly unknown[];
  extractValue(body: unknown, context: BaseRpcContext): unknown;
}

interface ListCreator {
  create(...args: unknown[]): readonly unknown[];
}

/** What of Nest's creators of calls says what is around a handler; the same in Nest 11 and 12. */
export interface CallCreator {
  interceptorsContextCreator: ListCreator;
  createGuardsFn(guards: readonly unknown[], ...more: unknown[]): unknown;
  createPipesFn(pipes: readonly unknown[], params: readonly HandlerParam[]): unknown;
}

/** What Nest puts around a handler. Noted while Nest builds the call. */
export class Surroundings {
  guards: readonly unknown[] | undefined;
  interceptors: readonly unknown[] | undefined;
  pipes: readonly unknown[] | undefined;
  params: readonly HandlerParam[] | undefined;

  /**
   * The parameters, when nothing but the method and its filters is to be called; otherwise undefined, also when Nest
   * did not say: then the call it built is the one to make.
   */
  get onlyParams(): readonly HandlerParam[] | undefined {
    const isBare = [this.guards, this.interceptors, this.pipes].every((list) => list?.length === 0);
    const areBare = this.params?.every(
      ({ type, pipes }) => typeof type === 'number' && pipes.length === 0,
    );
    return isBare && areBare ? this.params : undefined;
  }

  /** In the place of what the creator has under these names: it builds the same, and tells of it here. */
  notedOf(creator: CallCreator): CallCreator {
    const { interceptorsContextCreator } = creator;
    return {
      createGuardsFn: (guards, ...more) => {
        this.guards = guards;
        return creator.createGuardsFn(guards, ...more);
      },
      createPipesFn: (pipes, params) => {
        this.pipes = pipes;
        this.params = params;
        return creator.createPipesFn(pipes, params);
      },
      interceptorsContextCreator: Object.assign(
        Object.create(interceptorsContextCreator) as ListCreator,
        {
          create: (...args: unknown[]) => {
            this.interceptors = interceptorsContextCreator.create(...args);
            return this.interceptors;
          },
        },
      ),
    };
  }
}
