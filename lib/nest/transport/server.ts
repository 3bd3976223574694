export class RivuletServer {}
