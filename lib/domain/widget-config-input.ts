import { z } from 'zod'
import { StrictFreeForm } from './free-form.js'
import { hostOf } from './hosts.js'
import { UserId } from './ids.js'
import { phoneCountry } from './phone.js'
import type { PropertyInfo } from './widget-configs.js'

const Text = z.string().trim().max(1_000)
const HttpUrl = z
  .string()
  .trim()
  .max(2_000)
  .refine(text => text === '' || (/^https?:\/\//i.test(text) && URL.canParse(text)), 'must be an http(s) URL')

const Domain = z
  .string()
  .max(300)
  .transform(hostOf)
  .refine(
    host => host === 'localhost' || /^[\w-]+(\.[\w-]+)+$/.test(host),
    'must be a domain like example.com',
  )

const Price = z.union([z.string(), z.number()]).transform(String).pipe(z.string().max(200))

/** Facts about the property as clients send them: prices by configuration, whatever the configuration is called. */
const PropertyInfoInput = z
  .object({
    availableBhk: z.array(z.string().max(100)).max(50).optional(),
    amenities: z.array(z.string().max(200)).max(200).optional(),
    pricing: z.record(z.string().min(1).max(100), Price).nullish(),
  })
  .catchall(z.unknown())
  .transform(({ pricing, ...facts }, context): PropertyInfo => {
    const free = StrictFreeForm.safeParse(facts)
    for (const issue of free.error?.issues ?? [])
      context.addIssue({ code: 'custom', path: issue.path, message: issue.message })
    const pairs = Object.entries(pricing ?? {}).map(([configuration, price]) => ({ configuration, price }))
    return { ...facts, ...(pricing && { pricing: pairs }) } as PropertyInfo
  })

/**
 * A change of a configuration: some of its fields, or the whole form as it was read. What a client may not set
 * (ids, times, the revision) is ignored.
 */
export const WidgetConfigInput = z
  .object({
    agentName: z.string().trim().min(1).max(100),
    avatarUrl: HttpUrl,
    primaryColor: z
      .string()
      .regex(/^#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i, 'must be a colour like #2563eb'),
    followupMessage: Text,
    bhkPrompt: Text,
    inventoryMessage: Text,
    phonePrompt: Text,
    thankYouMessage: Text,
    bubblePosition: z.enum(['bottom-right', 'bottom-left']),
    autoOpenDelayMs: z.number().int().min(0).max(600_000),
    welcomeMessage: Text,
    propertyInfo: PropertyInfoInput,
    domains: z
      .array(Domain)
      .max(50)
      .transform(domains => [...new Set(domains)]),
    phoneCountry: z.string().refine(code => phoneCountry(code) !== undefined, 'must be a country like IN'),
    /** Whose project it is from now on; null for nobody's. For admins. */
    ownerId: UserId.nullable(),
  })
  .partial()
export type WidgetConfigInput = z.infer<typeof WidgetConfigInput>
