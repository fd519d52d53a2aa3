import type Stripe from 'stripe'
import { env } from '../env.js'
import { AppError } from '../errors.js'

/** Per attempt; with its one retry a request takes about 12 s. */
const TIMEOUT_MS = 6_000

/** How long a client should wait while Stripe is away, in seconds. */
const RETRY_AFTER_SECONDS = 30

/** A request that Stripe understood and refused. What Stripe says quotes addresses and keys, so it is not repeated. */
export class StripeRefusal extends Error {
  constructor(
    /** Stripe's error code: https://docs.stripe.com/error-codes */
    readonly reason: string,
    /** What of the request it is about: `customer`, `line_items[0][price]`. */
    readonly param: string | undefined,
    requestId: string | undefined,
  ) {
    super(['Stripe refused a request', reason, param, requestId].filter(Boolean).join(' · '))
    this.name = 'StripeRefusal'
  }
}

/** What a request gives; undefined for an object that was deleted, or is of another account or mode than our key. */
export async function unlessMissing<T>(request: () => Promise<T>): Promise<T | undefined> {
  try {
    return await request()
  } catch (error) {
    if (error instanceof StripeRefusal && error.reason === 'resource_missing') return undefined
    throw error
  }
}

/**
 * Gives the key that this deployment has at Stripe.
 *
 * @throws {AppError} `not_configured` without one.
 */
export function requireBilling(): string {
  const { stripeSecretKey } = env()
  if (stripeSecretKey) return stripeSecretKey
  throw new AppError('not_configured', 'Billing is not configured: set STRIPE_SECRET_KEY.')
}

let connected: Promise<Stripe> | undefined

/**
 * The client of this process.
 *
 * @throws {AppError} `not_configured` without a key.
 */
export function stripe(): Promise<Stripe> {
  connected ??= connect()
  return connected
}

async function connect(): Promise<Stripe> {
  const key = requireBilling()
  const { stripeApiBase } = env()
  // A megabyte of code: loaded by the first use, not by every function that could have one.
  const { default: Client } = await import('stripe')
  return new Client(key, {
    // What this code was written for, whatever the account's default: a new one is a change of code.
    apiVersion: '2026-10-28.endive',
    timeout: TIMEOUT_MS,
    maxNetworkRetries: 1,
    telemetry: false,
    ...(stripeApiBase && addressOf(new URL(stripeApiBase))),
  })
}

function addressOf({
  hostname: host,
  port,
  protocol,
}: URL): Pick<Stripe.StripeConfig, 'host' | 'port' | 'protocol'> {
  return protocol === 'http:'
    ? { host, port: port || 80, protocol: 'http' }
    : { host, port: port || 443, protocol: 'https' }
}

/**
 * Asks Stripe's API.
 *
 * @throws {AppError} `unavailable` while Stripe cannot be reached, `not_configured` without a key that it takes.
 * @throws {StripeRefusal} for a request that it refuses.
 */
export async function ask<T>(question: (client: Stripe) => Promise<T>): Promise<T> {
  const client = await stripe()
  try {
    return await question(client)
  } catch (error) {
    const { errors } = client
    if (error instanceof errors.StripeError) throw translate(error, errors)
    throw error
  }
}

function translate(error: Stripe.errors.StripeError, errors: Stripe['errors']): Error {
  const { type, code, param, requestId } = error
  const refusal = new StripeRefusal(code ?? type, param, requestId)
  if (error instanceof errors.StripeAuthenticationError || error instanceof errors.StripePermissionError)
    return new AppError('not_configured', 'Stripe does not accept the key of this deployment.', {
      cause: refusal,
    })
  const isAway =
    error instanceof errors.StripeConnectionError ||
    error instanceof errors.StripeRateLimitError ||
    error instanceof errors.StripeAPIError
  if (!isAway) return refusal
  return new AppError('unavailable', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: refusal })
}
