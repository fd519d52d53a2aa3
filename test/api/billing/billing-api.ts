import Stripe from 'stripe'
import { vi } from 'vitest'
import type { PublicProfile } from '../../../lib/domain/accounts/account-profiles.js'
import type { BillingPage } from '../../../lib/domain/billing/billing.js'
import type { ErrorBody } from '../../../lib/http/reply.js'
import type { Wire } from '../../support/fixtures/wire.js'
import { type Answer, type CallOptions, call } from '../../support/request.js'
import { type StripeEventPayload, StripeServer } from '../../support/stripe-server.js'
import type { TestUser } from '../../support/users.js'

export const WEBHOOK_SECRET = 'whsec_of_the_tests'
export const PRICES = { basic: 'price_basic', premium: 'price_premium', enterprise: 'price_enterprise' }

export type BillingAnswer = Answer<BillingPage & ErrorBody & { data: BillingPage; received: boolean }>

/** The billing routes of a deployment of its own. */
export interface BillingApi {
  checkout(user: TestUser, plan: unknown): Promise<BillingAnswer>
  portal(user: TestUser): Promise<BillingAnswer>
  /** Sends an event as Stripe does. */
  deliver(event: StripeEventPayload, options?: CallOptions): Promise<BillingAnswer>
  webhook(body: string | Uint8Array, options?: CallOptions): Promise<BillingAnswer>
  profile(user: TestUser): Promise<Wire<PublicProfile>['profile']>
}

/** Starts a Stripe of the test's own, and what a deployment has to know to use it. */
export async function startStripe(): Promise<{ stripe: StripeServer; environment: Record<string, string> }> {
  const stripe = new StripeServer()
  await stripe.start()
  return {
    stripe,
    environment: {
      STRIPE_SECRET_KEY: stripe.key,
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
      STRIPE_PRICE_BASIC: `${PRICES.basic} price_basic_of_last_year`,
      STRIPE_PRICE_PREMIUM: PRICES.premium,
      STRIPE_PRICE_ENTERPRISE: PRICES.enterprise,
      STRIPE_API_BASE: stripe.url,
      APP_URL: 'https://app.example.com',
    },
  }
}

/** The routes with these variables and no others of Stripe's; a process reads its environment once. */
export async function deployBilling(environment: Record<string, string>): Promise<BillingApi> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  vi.resetModules()
  // Read now: the variables are those of the test that deploys, and the deployment may outlive it.
  const { env } = await import('../../../lib/env.js')
  env()
  const [checkout, portal, webhook, profile] = await Promise.all([
    import('../../../api/billing/checkout.js'),
    import('../../../api/billing/portal.js'),
    import('../../../api/billing/webhook.js'),
    import('../../../api/user/profile.js'),
  ])
  const post = (route: typeof webhook, path: string, options: CallOptions) =>
    call<BillingAnswer['body']>(route.default, 'POST', `/api/billing/${path}`, options)
  return {
    checkout: ({ headers }, plan) => post(checkout, 'checkout', { headers, body: { plan } }),
    portal: ({ headers }) => post(portal, 'portal', { headers }),
    webhook: (body, options = {}) => post(webhook, 'webhook', { body, ...options }),
    deliver(event, options) {
      const payload = JSON.stringify(event, null, 2)
      const headers = { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': sign(payload) }
      return post(webhook, 'webhook', { body: payload, headers, ...options })
    },
    async profile({ headers }) {
      const path = '/api/user/profile'
      const { body } = await call<{ data: Wire<PublicProfile> }>(profile.default, 'GET', path, { headers })
      return body.data.profile
    },
  }
}

/** The header that Stripe would send with this body. */
export function sign(payload: string, secret = WEBHOOK_SECRET, sentAt = new Date()): string {
  const timestamp = Math.floor(sentAt.getTime() / 1_000)
  return Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp })
}

/** The session on whose page the browser was sent. */
export function sessionOf(answer: BillingAnswer): string {
  const [, id = ''] = /\/pay\/(\w+)$/.exec(answer.body.url ?? '') ?? []
  if (id === '') throw new Error(`not sent to a page to pay on: ${answer.text}`)
  return id
}
