export const rivuletOptions = {
  connection: process.env.REDIS_URL,
  namespace: 'bench',
  group: 'bench',
};
