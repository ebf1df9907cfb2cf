/** Limits of notification channels, and what they are called by, for servers and clients alike. */

/** How much a notification matters. */
export const severities = ['info', 'success', 'warning', 'error'] as const;

export const notificationLimits = {
  /** Of a channel the newest so many count, whatever became of them: so much is known of it in memory and in a snapshot. */
  notificationsCounted: 10_000,
  /** A notification as JSON. */
  notificationBytesMax: 65_536,
  notificationTitleBytesMax: 1_024,
  /** Named in one request as read. */
  notificationsReadMax: 1_000,
  /** In one page. */
  notificationsPageDefault: 50,
  notificationsPageMax: 500,
} as const;
