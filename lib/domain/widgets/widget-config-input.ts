import { z } from 'zod'
import { StrictFreeForm } from '../free-form.js'
import { UserId } from '../ids.js'
import { phoneCountry } from '../phones/phone.js'
import { hostOf } from './hosts.js'
import type { PropertyInfo } from './widget-configs.js'

/** The most domains that a project may list. */
export const MAX_DOMAINS = 50

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

/** A fact that clients send as a text, as a number, or as null for none. */
function fact(maxLength: number) {
  return z.union([z.string(), z.number()]).transform(String).pipe(z.string().max(maxLength)).nullable()
}

function factList(maxItems: number, maxLength: number) {
  return z
    .array(fact(maxLength))
    .max(maxItems)
    .transform(items => items.filter(item => item !== null))
    .nullish()
}

/**
 * Facts about the property as clients send them: prices by configuration, whatever the configuration is called. What is
 * null is left out: old widgets send what they found on their page, and nobody can mend them.
 */
const PropertyInfoInput = z
  .object({
    availableBhk: factList(50, 100),
    amenities: factList(200, 200),
    pricing: z.record(z.string().min(1).max(100), fact(200)).nullish(),
  })
  .catchall(z.unknown())
  .transform(({ availableBhk, amenities, pricing, ...others }, context): PropertyInfo => {
    const given = Object.entries(others).filter(([, value]) => value !== null)
    const facts = {
      ...Object.fromEntries(given),
      ...(availableBhk && { availableBhk }),
      ...(amenities && { amenities }),
    }
    const free = StrictFreeForm.safeParse(facts)
    for (const issue of free.error?.issues ?? [])
      context.addIssue({ code: 'custom', path: issue.path, message: issue.message })
    const pairs = Object.entries(pricing ?? {}).flatMap(([configuration, price]) =>
      price === null ? [] : [{ configuration, price }],
    )
    return { ...facts, ...(pricing && { pricing: pairs }) }
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
      .max(MAX_DOMAINS)
      .transform(domains => [...new Set(domains)]),
    phoneCountry: z
      .string()
      .transform(phoneCountry)
      .refine(code => code !== undefined, 'must be a country like IN'),
    /** Whose project it is from now on; null for nobody's. For admins. */
    ownerId: UserId.nullable(),
  })
  .partial()
export type WidgetConfigInput = z.infer<typeof WidgetConfigInput>
