import { Transport } from '@nestjs/microservices';

const { hostname, port } = new URL(process.env.REDIS_URL);

export const nestRedis = {
  transport: Transport.REDIS,
  options: { host: hostname, port: Number(port) },
};
