import { z } from 'zod'

/** A microsite's name: often a host name. Dots and case are kept. */
export const Microsite = z.string().trim().min(1).max(200)
