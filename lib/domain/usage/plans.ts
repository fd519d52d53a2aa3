import { z } from 'zod'

export const PlanName = z.enum(['free', 'basic', 'premium', 'enterprise'])
export type PlanName = z.infer<typeof PlanName>

/** How many calls and minutes a month; null is any number. */
export const PlanLimits = z.object({
  calls: z.number().int().nullable(),
  minutes: z.number().int().nullable(),
})
export type PlanLimits = z.infer<typeof PlanLimits>

/** Whether there is nothing to run out of: then no open call has to be looked at for what it leaves to others. */
export function isUnlimited({ calls, minutes }: PlanLimits): boolean {
  return calls === null && minutes === null
}

/** What each plan allows a month. The only place that knows. */
export const plans = {
  free: { calls: 10, minutes: 30 },
  basic: { calls: 100, minutes: 300 },
  premium: { calls: 1_000, minutes: 3_000 },
  enterprise: { calls: null, minutes: null },
} as const satisfies Record<PlanName, PlanLimits>

export const PlanTable = z.array(PlanLimits.extend({ plan: PlanName }))
export type PlanTable = z.infer<typeof PlanTable>

/** The plans as a table, smallest first. */
export function listPlans(): PlanTable {
  return PlanName.options.map(plan => ({ plan, ...plans[plan] }))
}
