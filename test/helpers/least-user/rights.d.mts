export const NAME: string;
