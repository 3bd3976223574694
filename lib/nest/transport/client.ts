export class RivuletClient {}
