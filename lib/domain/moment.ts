import { z } from 'zod'

const Day = z.iso.date()
const Time = z.iso.datetime({ offset: true })

// Not what Date.parse takes: that finds a date in `5`, and reads a time without a zone in the server's own.
const text = z
  .string()
  .refine(
    value => Day.safeParse(value).success || Time.safeParse(value).success,
    'must be a date (YYYY-MM-DD) or an ISO 8601 time with its zone',
  )

/** A moment in a query; a date without a time is its first, in UTC. */
export const Moment = text.transform(value => new Date(value))

/** The end of a span in a query; a date without a time is its last moment, so that the day is in it. */
export const EndMoment = text.transform(
  value => new Date(Day.safeParse(value).success ? `${value}T23:59:59.999Z` : value),
)
