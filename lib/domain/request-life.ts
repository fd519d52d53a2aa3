/**
 * After this long a request is over, and what it had begun is done or never will be: the platform ends a function
 * after 30 seconds (`maxDuration` in vercel.json), what goes on after the answer included. The rest is for a write that
 * the database had of it by then, and for clocks that differ.
 */
export const REQUEST_LIFE_MS = 60 * 1000
