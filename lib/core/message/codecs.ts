import { bytesCodec, isBytes } from './bytes-codec.js';
import { type Codec, refusePromise } from './codec.js';
import { CodecError, RivuletError } from './errors.js';
import { jsonCodec } from './json-codec.js';
import { describeValue } from './options.js';

/** The codecs a process knows, by name. `json` and `bytes` are always there. */
export class Codecs {
  readonly preferred: Codec;
  private readonly byName: Map<string, Codec>;

  constructor(options: { preferred?: Codec; others?: readonly Codec[] } = {}) {
    this.preferred = options.preferred ?? jsonCodec;
    this.byName = new Map(
      [jsonCodec, bytesCodec, ...(options.others ?? []), this.preferred].map((codec) => [
        codec.name,
        codec,
      ]),
    );
  }

  /** Bytes go unchanged unless the preferred codec takes them; everything else through that. */
  forBody(body: unknown): Codec {
    return isBytes(body) && this.preferred.takesBytes !== true ? bytesCodec : this.preferred;
  }

  decode(codecName: string, bytes: Buffer): unknown {
    const codec = this.byName.get(codecName);
    if (!codec)
      throw new CodecError(
        `No codec ${describeValue(codecName)} is known here (known: ${[...this.byName.keys()].join(', ')}); add it to the option "codecs"`,
      );
    try {
      const body = codec.decode(bytes);
      refusePromise(codec, body);
      return body;
    } catch (error) {
      if (error instanceof RivuletError) throw error;
      // Not its text, which may quote the body.
      throw new CodecError(`Codec "${codecName}" cannot decode the body (${bytes.length} bytes)`, {
        cause: error,
      });
    }
  }
}
